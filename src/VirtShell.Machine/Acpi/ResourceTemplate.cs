using System.Buffers.Binary;
using System.Collections.Generic;

namespace VirtShell.Machine.Acpi;

/// <summary>Builds ACPI resource descriptors (ACPI 6.4, 6.4).</summary>
internal sealed class ResourceTemplate
{
    private const byte IrqNoFlags = 0x22;
    private const byte DmaFormat = 0x2A;
    private const byte IoPort = 0x47;
    private const byte EndTag = 0x79;
    private const byte DWordSpace = 0x87;
    private const byte WordSpace = 0x88;
    private const byte Decode16 = 1;

    // Address space descriptors: resource types and general flags (6.4.3.5).
    private const byte MemoryRange = 0;
    private const byte IoRange = 1;
    private const byte BusRange = 2;
    private const byte MinAndMaxFixed = 0x0C;
    private const byte EntireRange = 3;
    private const byte ReadWriteCacheable = 3;
    private const byte ReadWrite = 1;

    private readonly List<byte> _bytes = [];

    /// <summary>Fixed ports, decoded over 16 bits.</summary>
    public ResourceTemplate Io(ushort first, int count)
    {
        _bytes.AddRange([IoPort, Decode16, (byte)first, (byte)(first >> 8), (byte)first, (byte)(first >> 8), 1, (byte)count]);
        return this;
    }

    /// <summary>An edge-triggered ISA interrupt.</summary>
    public ResourceTemplate Irq(int irq)
    {
        int mask = 1 << irq;
        _bytes.AddRange([IrqNoFlags, (byte)mask, (byte)(mask >> 8)]);
        return this;
    }

    /// <summary>An ISA DMA channel that moves bytes.</summary>
    public ResourceTemplate Dma(int channel)
    {
        _bytes.AddRange([DmaFormat, (byte)(1 << channel), 0]);
        return this;
    }

    public ResourceTemplate BusNumbers(ushort first, ushort last) => Word(BusRange, 0, first, last);

    public ResourceTemplate IoWindow(ushort first, ushort last) => Word(IoRange, EntireRange, first, last);

    public ResourceTemplate MemoryWindow(uint first, uint last, bool cacheable)
    {
        _bytes.AddRange([DWordSpace, 23, 0, MemoryRange, MinAndMaxFixed, cacheable ? ReadWriteCacheable : ReadWrite]);
        foreach (uint value in (uint[])[0, first, last, 0, last - first + 1])
        {
            byte[] bytes = new byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            _bytes.AddRange(bytes);
        }

        return this;
    }

    public byte[] ToArray() => [.. _bytes, EndTag, 0];

    private ResourceTemplate Word(byte type, byte typeFlags, ushort first, ushort last)
    {
        _bytes.AddRange([WordSpace, 13, 0, type, MinAndMaxFixed, typeFlags]);
        foreach (ushort value in (ushort[])[0, first, last, 0, (ushort)(last - first + 1)])
        {
            _bytes.AddRange([(byte)value, (byte)(value >> 8)]);
        }

        return this;
    }
}
