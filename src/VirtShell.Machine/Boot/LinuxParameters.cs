using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>boot_params, the page that the 32-bit and 64-bit entries of Linux are handed (Documentation/arch/x86/zero-page.rst).</summary>
internal sealed class LinuxParameters
{
    private const int Length = 0x1000;
    private const int LargestE820Count = 128;

    private const int ExtMemK = 0x002;
    private const int VideoMode = 0x006;
    private const int VideoColumns = 0x007;
    private const int VideoLines = 0x00E;
    private const int VideoIsVga = 0x00F;
    private const int VideoPoints = 0x010;
    private const int OldCommandLineMagic = 0x020;
    private const int OldCommandLineOffset = 0x022;
    private const int AcpiRsdpAddr = 0x070;
    private const int ExtRamdiskImage = 0x0C0;
    private const int ExtRamdiskSize = 0x0C4;
    private const int ExtCmdLinePtr = 0x0C8;
    private const int AltMemK = 0x1E0;
    private const int E820Entries = 0x1E8;
    private const int BootFlag = 0x1FE;
    private const int HeaderMagic = 0x202;
    private const int Version = 0x206;
    private const int TypeOfLoader = 0x210;
    private const int LoadFlags = 0x211;
    private const int Code32Start = 0x214;
    private const int RamdiskImage = 0x218;
    private const int RamdiskSize = 0x21C;
    private const int HeapEndPtr = 0x224;
    private const int CmdLinePtr = 0x228;
    private const int KernelAlignment = 0x230;
    private const int CmdlineSize = 0x238;
    private const int E820Table = 0x2D0;
    private const int E820EntrySize = 20;

    private const byte UndefinedLoader = 0xFF;
    private const byte LoadedHigh = 0x01;
    private const byte CanUseHeap = 0x80;
    private const ushort CommandLineMagic = 0xA33F;

    // Kernels without a setup header are told of the protocol that has everything which is filled in here.
    private const ushort AssumedVersion = 0x20C;

    private readonly byte[] _bytes = new byte[Length];

    private LinuxParameters(PhysicalMemory memory, ulong rsdp)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(AcpiRsdpAddr), rsdp);
        uint above1M = memory.LowRamBytes > MemoryMap.HighMemory ? (uint)((memory.LowRamBytes - MemoryMap.HighMemory) >> 10) : 0;
        Put(AltMemK, above1M);
        Put16(ExtMemK, (ushort)Math.Min(above1M, ushort.MaxValue));
        if (MemoryMap.Screen(memory) is { } screen)
        {
            _bytes[VideoMode] = screen.Mode;
            _bytes[VideoColumns] = screen.Columns;
            _bytes[VideoLines] = screen.Rows;
            _bytes[VideoIsVga] = 1;
            _bytes[VideoPoints] = screen.CharacterHeight;
        }

        IReadOnlyList<MemoryRange> ranges = MemoryMap.Ranges(memory);
        int count = Math.Min(ranges.Count, LargestE820Count);
        _bytes[E820Entries] = (byte)count;
        for (int i = 0; i < count; i++)
        {
            Span<byte> entry = _bytes.AsSpan(E820Table + (i * E820EntrySize));
            BinaryPrimitives.WriteUInt64LittleEndian(entry, ranges[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], ranges[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)ranges[i].Kind);
        }
    }

    /// <summary>Parameters with the setup header of a bzImage that is loaded at <paramref name="start"/>.</summary>
    public static LinuxParameters OfBzImage(ReadOnlySpan<byte> image, LinuxHeader header, ulong start, PhysicalMemory memory, ulong rsdp)
    {
        LinuxParameters parameters = new(memory, rsdp);
        image[LinuxHeader.HeaderStart..header.HeaderEnd].CopyTo(parameters._bytes.AsSpan(LinuxHeader.HeaderStart));
        parameters._bytes[TypeOfLoader] = UndefinedLoader;
        parameters._bytes[LoadFlags] |= CanUseHeap;
        parameters.Put16(HeapEndPtr, 0xFE00);
        parameters.Put(Code32Start, (uint)start);
        parameters.PutCommandLine(header.Version);
        return parameters;
    }

    /// <summary>Parameters for an uncompressed kernel, which brings no setup header.</summary>
    public static LinuxParameters OfVmlinux(PhysicalMemory memory, ulong rsdp)
    {
        LinuxParameters parameters = new(memory, rsdp);
        parameters.Put16(BootFlag, 0xAA55);
        "HdrS"u8.CopyTo(parameters._bytes.AsSpan(HeaderMagic));
        parameters.Put16(Version, AssumedVersion);
        parameters._bytes[TypeOfLoader] = UndefinedLoader;
        parameters._bytes[LoadFlags] = LoadedHigh;
        parameters.Put(KernelAlignment, 0x100_0000);
        parameters.Put(CmdlineSize, BootArea.CommandLineRoom - 1);
        parameters.PutCommandLine(AssumedVersion);
        return parameters;
    }

    /// <summary>The command line with its terminator.</summary>
    /// <exception cref="MachineBootException">It is longer than <paramref name="limit"/> bytes, or holds a NUL.</exception>
    public static byte[] EncodeCommandLine(string commandLine, long limit)
    {
        if (commandLine.Contains('\0', StringComparison.Ordinal))
        {
            throw new MachineBootException("The kernel command line contains a NUL character.");
        }

        byte[] bytes = Encoding.UTF8.GetBytes(commandLine + "\0");
        limit = Math.Min(limit, BootArea.CommandLineRoom - 1);
        return bytes.Length - 1 <= limit
            ? bytes
            : throw new MachineBootException($"The kernel command line is {bytes.Length - 1} bytes long; this kernel takes at most {limit}.");
    }

    /// <summary>Tells where the initrd is; a length of 0 is none.</summary>
    public void SetInitrd(ulong start, int length)
    {
        if (length > 0)
        {
            Put(RamdiskImage, (uint)start);
            Put(RamdiskSize, (uint)length);
            Put(ExtRamdiskImage, 0);
            Put(ExtRamdiskSize, 0);
        }
    }

    public void Write(PhysicalMemory memory, byte[] commandLine)
    {
        memory.Write(BootArea.CommandLine, commandLine);
        memory.Write(BootArea.BootParams, _bytes);
    }

    private void PutCommandLine(int version)
    {
        if (version >= 0x202)
        {
            Put(CmdLinePtr, (uint)BootArea.CommandLine);
            Put(ExtCmdLinePtr, 0);
        }
        else
        {
            // Protocols up to 2.01 know 90020h alone, with an offset from 90000h.
            Put16(OldCommandLineMagic, CommandLineMagic);
            Put16(OldCommandLineOffset, (ushort)(BootArea.CommandLine - BootArea.BootParams));
        }
    }

    private void Put(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);

    private void Put16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset), value);
}
