using System;
using System.Buffers.Binary;

namespace VirtShell.Cpu;

/// <summary>The part of a TSS that a task switch saves and loads, in 16-bit or 32-bit form (SDM Vol. 3A §7.2.1 figure 7-2, §7.6 figure 7-10).</summary>
internal readonly ref struct TaskState
{
    /// <summary>Offset of the static CR3 field of a 32-bit TSS.</summary>
    public const int Cr3 = 0x1C;

    /// <summary>Bit 0: debug trap after a switch to the task.</summary>
    public const int DebugTrap = 0x64;
    public const int Size32 = 0x68;
    public const int Size16 = 0x2C;

    private readonly Span<byte> _bytes;
    private readonly bool _wide;

    /// <param name="bytes">The TSS from its first byte, <see cref="Size32"/> or <see cref="Size16"/> long.</param>
    /// <param name="wide">A 32-bit TSS.</param>
    public TaskState(Span<byte> bytes, bool wide)
    {
        _bytes = bytes;
        _wide = wide;
    }

    /// <summary>Offset of the first field that a switch saves: EIP or IP.</summary>
    public static int DynamicStart(bool wide) => wide ? 0x20 : 0x0E;

    /// <summary>Offset past the last field that a switch saves: GS or DS.</summary>
    public static int DynamicEnd(bool wide) => wide ? 0x60 : 0x2A;

    public uint Eip
    {
        get => Get(0x20, 0x0E);
        set => Set(0x20, 0x0E, value);
    }

    public uint Eflags
    {
        get => Get(0x24, 0x10);
        set => Set(0x24, 0x10, value);
    }

    public ushort Ldt => (ushort)Get(0x60, 0x2A);

    public uint Cr3Value => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[Cr3..]);

    /// <summary>EAX ECX EDX EBX ESP EBP ESI EDI.</summary>
    public uint GetRegister(int number) => Get(0x28 + (number * 4), 0x12 + (number * 2));

    public void SetRegister(int number, uint value) => Set(0x28 + (number * 4), 0x12 + (number * 2), value);

    /// <summary>ES CS SS DS FS GS; a 16-bit TSS has no FS and GS.</summary>
    public ushort GetSegment(int index) => !_wide && index >= SegmentIndex.Fs ? (ushort)0 : (ushort)Get(0x48 + (index * 4), 0x22 + (index * 2));

    public void SetSegment(int index, ushort value)
    {
        if (_wide || index < SegmentIndex.Fs)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes[(_wide ? 0x48 + (index * 4) : 0x22 + (index * 2))..], value);
        }
    }

    private uint Get(int wide, int narrow) => _wide
        ? BinaryPrimitives.ReadUInt32LittleEndian(_bytes[wide..])
        : BinaryPrimitives.ReadUInt16LittleEndian(_bytes[narrow..]);

    private void Set(int wide, int narrow, uint value)
    {
        if (_wide)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes[wide..], value);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes[narrow..], (ushort)value);
        }
    }
}
