using System;
using System.Buffers.Binary;
using System.Text;

namespace VirtShell.Images.Tests;

/// <summary>Small kernel modules made here.</summary>
internal static class ModuleFiles
{
    /// <summary>An object file with the sections that matter: null, .modinfo, .shstrtab.</summary>
    public static byte[] Elf(string modinfo, bool is64)
    {
        const string names = "\0.modinfo\0.shstrtab\0";
        var (headerSize, sectionSize) = is64 ? (64, 64) : (52, 40);
        var info = Encoding.ASCII.GetBytes(modinfo);
        var infoAt = headerSize;
        var namesAt = infoAt + info.Length;
        var tableAt = namesAt + names.Length;
        var file = new byte[tableAt + (3 * sectionSize) + 64];
        "\u007FELF"u8.CopyTo(file);
        file[4] = (byte)(is64 ? 2 : 1);
        file[5] = 1;
        Address(file.AsSpan(is64 ? 40 : 32), tableAt);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 58 : 46), (ushort)sectionSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 60 : 48), 3);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 62 : 50), 2);
        info.CopyTo(file, infoAt);
        Encoding.ASCII.GetBytes(names).CopyTo(file, namesAt);
        Section(1, 1, infoAt, info.Length);
        Section(2, 10, namesAt, names.Length);
        return file;

        void Section(int index, int name, int at, int size)
        {
            var header = file.AsSpan(tableAt + (index * sectionSize));
            BinaryPrimitives.WriteInt32LittleEndian(header, name);
            Address(header[(is64 ? 24 : 16)..], at);
            Address(header[(is64 ? 32 : 20)..], size);
        }

        void Address(Span<byte> where, int value)
        {
            if (is64)
            {
                BinaryPrimitives.WriteInt64LittleEndian(where, value);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(where, value);
            }
        }
    }
}
