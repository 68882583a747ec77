using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Text;

namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>Reads a MOO container of hardware-captured 16-bit CPU tests, gzip-compressed or not. Chunks: 4-byte tag, u32 length, payload; unknown ones are skipped.</summary>
internal static class MooFile
{
    public static IReadOnlyList<MooTest> Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B)
        {
            using GZipStream gzip = new(new MemoryStream(bytes), CompressionMode.Decompress);
            using MemoryStream plain = new();
            gzip.CopyTo(plain);
            bytes = plain.ToArray();
        }

        List<MooTest> tests = [];
        foreach ((string tag, ReadOnlyMemory<byte> payload) in Chunks(bytes))
        {
            if (tag == "TEST")
            {
                tests.Add(ReadTest(payload));
            }
        }

        return tests;
    }

    private static MooTest ReadTest(ReadOnlyMemory<byte> payload)
    {
        MooTest test = new() { Index = (int)BinaryPrimitives.ReadUInt32LittleEndian(payload.Span) };
        foreach ((string tag, ReadOnlyMemory<byte> part) in Chunks(payload[4..]))
        {
            switch (tag)
            {
                case "NAME":
                    test.Name = Encoding.ASCII.GetString(Counted(part));
                    break;
                case "BYTS":
                    test.Code = Counted(part).ToArray();
                    break;
                case "INIT":
                    ReadState(part, test.InitialRegisters, test.InitialMemory);
                    break;
                case "FINA":
                    ReadState(part, test.FinalRegisters, test.FinalMemory);
                    break;
                case "EXCP":
                    test.Exception = part.Span[0];
                    test.FlagsImage = BinaryPrimitives.ReadUInt32LittleEndian(part.Span[1..]);
                    break;
            }
        }

        return test;
    }

    private static void ReadState(ReadOnlyMemory<byte> payload, ushort?[] registers, List<(uint Address, byte Value)> memory)
    {
        foreach ((string tag, ReadOnlyMemory<byte> part) in Chunks(payload))
        {
            ReadOnlySpan<byte> span = part.Span;
            if (tag == "REGS")
            {
                ushort mask = BinaryPrimitives.ReadUInt16LittleEndian(span);
                int at = 2;
                for (int i = 0; i < registers.Length; i++)
                {
                    if ((mask & (1 << i)) != 0)
                    {
                        registers[i] = BinaryPrimitives.ReadUInt16LittleEndian(span[at..]);
                        at += 2;
                    }
                }
            }
            else if (tag == "RAM ")
            {
                uint count = BinaryPrimitives.ReadUInt32LittleEndian(span);
                for (int i = 0; i < count; i++)
                {
                    ReadOnlySpan<byte> entry = span.Slice(4 + (i * 5), 5);
                    memory.Add((BinaryPrimitives.ReadUInt32LittleEndian(entry), entry[4]));
                }
            }
        }
    }

    private static ReadOnlySpan<byte> Counted(ReadOnlyMemory<byte> part) => part.Span.Slice(4, (int)BinaryPrimitives.ReadUInt32LittleEndian(part.Span));

    private static IEnumerable<(string Tag, ReadOnlyMemory<byte> Payload)> Chunks(ReadOnlyMemory<byte> bytes)
    {
        int at = 0;
        while (at + 8 <= bytes.Length)
        {
            string tag = Encoding.ASCII.GetString(bytes.Span.Slice(at, 4));
            int length = (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[(at + 4)..]);
            yield return (tag, bytes.Slice(at + 8, length));
            at += 8 + length;
        }
    }
}

/// <summary>One captured instruction: machine state before and after.</summary>
internal sealed class MooTest
{
    /// <summary>Register order of the container.</summary>
    public static readonly string[] RegisterNames = ["ax", "bx", "cx", "dx", "cs", "ss", "ds", "es", "sp", "bp", "si", "di", "ip", "flags"];

    public int Index { get; init; }

    public string Name { get; set; } = string.Empty;

    public byte[] Code { get; set; } = [];

    public ushort?[] InitialRegisters { get; } = new ushort?[14];

    public ushort?[] FinalRegisters { get; } = new ushort?[14];

    public List<(uint Address, byte Value)> InitialMemory { get; } = [];

    public List<(uint Address, byte Value)> FinalMemory { get; } = [];

    public byte? Exception { get; set; }

    /// <summary>Linear address of the FLAGS image that the exception pushed.</summary>
    public uint FlagsImage { get; set; }
}
