using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;

namespace VirtShell.Machine.Acpi;

/// <summary>Writes ACPI machine language: just the terms that this machine's DSDT needs (ACPI 6.4, chapter 20).</summary>
internal sealed class AmlWriter
{
    private const byte ZeroOp = 0x00;
    private const byte OneOp = 0x01;
    private const byte NameOp = 0x08;
    private const byte BytePrefix = 0x0A;
    private const byte WordPrefix = 0x0B;
    private const byte DWordPrefix = 0x0C;
    private const byte StringPrefix = 0x0D;
    private const byte ScopeOp = 0x10;
    private const byte BufferOp = 0x11;
    private const byte PackageOp = 0x12;
    private const byte MethodOp = 0x14;
    private const byte DualNamePrefix = 0x2E;
    private const byte MultiNamePrefix = 0x2F;
    private const byte ExtOpPrefix = 0x5B;
    private const byte Arg0Op = 0x68;
    private const byte StoreOp = 0x70;
    private const byte DeviceOp = 0x82;
    private const byte IfOp = 0xA0;
    private const byte ReturnOp = 0xA4;
    private const int SegmentLength = 4;

    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    /// <summary>Scope (path) { body }.</summary>
    public void Scope(string path, Action<AmlWriter> body) => Block([ScopeOp], path, [], body);

    /// <summary>Device (name) { body }.</summary>
    public void Device(string name, Action<AmlWriter> body) => Block([ExtOpPrefix, DeviceOp], name, [], body);

    /// <summary>Method (name, arguments, NotSerialized) { body }.</summary>
    public void Method(string name, int arguments, Action<AmlWriter> body) => Block([MethodOp], name, [(byte)arguments], body);

    /// <summary>If (value of name) { body }.</summary>
    public void If(string name, Action<AmlWriter> body) => Block([IfOp], name, [], body);

    /// <summary>Return (name).</summary>
    public void Return(string name)
    {
        _bytes.Add(ReturnOp);
        Path(name);
    }

    /// <summary>Store (Arg0, name).</summary>
    public void StoreArgument0(string name)
    {
        _bytes.Add(StoreOp);
        _bytes.Add(Arg0Op);
        Path(name);
    }

    /// <summary>Name (name, integer).</summary>
    public void Name(string name, ulong value)
    {
        _bytes.Add(NameOp);
        Path(name);
        Integer(value);
    }

    /// <summary>Name (name, EISAID (id)), or the string itself where it is an ACPI ID.</summary>
    public void NameId(string name, string id)
    {
        _bytes.Add(NameOp);
        Path(name);
        if (id.StartsWith("PNP", StringComparison.Ordinal))
        {
            Integer(EisaId(id));
        }
        else
        {
            _bytes.Add(StringPrefix);
            _bytes.AddRange(Encoding.ASCII.GetBytes(id));
            _bytes.Add(0);
        }
    }

    /// <summary>Name (name, Buffer { bytes }), for resource templates.</summary>
    public void NameBuffer(string name, ReadOnlySpan<byte> bytes)
    {
        _bytes.Add(NameOp);
        Path(name);
        AmlWriter size = new();
        size.Integer((ulong)bytes.Length);
        byte[] content = [.. size._bytes, .. bytes];
        _bytes.Add(BufferOp);
        Package(content);
    }

    /// <summary>Name (name, Package (count) { body }).</summary>
    public void NamePackage(string name, int count, Action<AmlWriter> body)
    {
        _bytes.Add(NameOp);
        Path(name);
        PackageTerm(count, body);
    }

    /// <summary>Package (count) { body }, of at most 255 elements.</summary>
    public void PackageTerm(int count, Action<AmlWriter> body)
    {
        _bytes.Add(PackageOp);
        AmlWriter inner = new();
        inner._bytes.Add(checked((byte)count));
        body(inner);
        Package(inner._bytes.ToArray());
    }

    public void Integer(ulong value)
    {
        Span<byte> bytes = stackalloc byte[4];
        switch (value)
        {
            case 0:
                _bytes.Add(ZeroOp);
                break;
            case 1:
                _bytes.Add(OneOp);
                break;
            case <= byte.MaxValue:
                _bytes.Add(BytePrefix);
                _bytes.Add((byte)value);
                break;
            case <= ushort.MaxValue:
                _bytes.Add(WordPrefix);
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
                _bytes.AddRange(bytes[..2]);
                break;
            default:
                _bytes.Add(DWordPrefix);
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, checked((uint)value));
                _bytes.AddRange(bytes);
                break;
        }
    }

    // Three letters of five bits and four hex digits, big-endian (19.3.4).
    private static uint EisaId(string id)
    {
        uint value = (uint)(((id[0] - 0x40) << 26) | ((id[1] - 0x40) << 21) | ((id[2] - 0x40) << 16));
        value |= Convert.ToUInt32(id[3..], 16);
        return BinaryPrimitives.ReverseEndianness(value);
    }

    private void Block(ReadOnlySpan<byte> opcode, string path, ReadOnlySpan<byte> extra, Action<AmlWriter> body)
    {
        AmlWriter inner = new();
        inner.Path(path);
        inner._bytes.AddRange(extra);
        body(inner);
        _bytes.AddRange(opcode);
        Package(inner._bytes.ToArray());
    }

    // PkgLength counts itself: one byte up to 63, else four bits and one or two bytes more (20.2.4).
    private void Package(ReadOnlySpan<byte> content)
    {
        if (content.Length + 1 < 0x40)
        {
            _bytes.Add((byte)(content.Length + 1));
        }
        else if (content.Length + 2 < 0x1000)
        {
            int length = content.Length + 2;
            _bytes.Add((byte)(0x40 | (length & 0xF)));
            _bytes.Add((byte)(length >> 4));
        }
        else
        {
            int length = content.Length + 3;
            _bytes.Add((byte)(0x80 | (length & 0xF)));
            _bytes.Add((byte)(length >> 4));
            _bytes.Add((byte)(length >> 12));
        }

        _bytes.AddRange(content);
    }

    private void Path(string path)
    {
        if (path.StartsWith('\\'))
        {
            _bytes.Add((byte)'\\');
            path = path[1..];
        }

        string[] segments = path.Split('.');
        if (segments.Length == 2)
        {
            _bytes.Add(DualNamePrefix);
        }
        else if (segments.Length > 2)
        {
            _bytes.Add(MultiNamePrefix);
            _bytes.Add((byte)segments.Length);
        }

        foreach (string segment in segments)
        {
            _bytes.AddRange(Encoding.ASCII.GetBytes(segment.PadRight(SegmentLength, '_')));
        }
    }
}
