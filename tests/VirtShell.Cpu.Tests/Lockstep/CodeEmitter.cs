using System;
using System.Collections.Generic;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Writes instructions one behind the other at known addresses, with labels, and remembers where each begins.</summary>
internal sealed class CodeEmitter
{
    private readonly ByteWriter _writer = new();
    private readonly Encoder _encoder;
    private readonly List<int> _labels = [];
    private readonly List<Fixup> _fixups = [];
    private readonly int _capacity;

    /// <param name="bits">Code size.</param>
    /// <param name="linear">Linear address of the first byte.</param>
    /// <param name="segmentBase">Base of the code segment: instruction pointers are linear addresses less this.</param>
    /// <param name="capacity">Bytes that there is room for.</param>
    public CodeEmitter(int bits, ulong linear, ulong segmentBase, int capacity)
    {
        Bits = bits;
        Linear = linear;
        Origin = linear - segmentBase;
        _capacity = capacity;
        _encoder = Encoder.Create(bits, _writer);
        Lengths = new byte[capacity];
    }

    public int Bits { get; }

    public ulong Linear { get; }

    /// <summary>Instruction pointer of the first byte.</summary>
    public ulong Origin { get; }

    public int Count => _writer.Bytes.Count;

    public bool IsNearlyFull => Count > _capacity - 0x600;

    /// <summary>Instruction pointer of the next byte.</summary>
    public ulong Here => Origin + (ulong)Count;

    /// <summary>For each byte: length of the instruction that begins there, or 0.</summary>
    public byte[] Lengths { get; }

    /// <summary>Where the constants of the last instruction stand, from its start.</summary>
    public ConstantOffsets Constants => _encoder.GetConstantOffsets();

    public byte[] ToArray()
    {
        byte[] bytes = [.. _writer.Bytes];
        foreach (Fixup fixup in _fixups)
        {
            ulong target = Origin + (ulong)_labels[fixup.Label] + (ulong)fixup.Addend;
            long value = fixup.Relative ? (long)(target - (Origin + (ulong)fixup.End)) : (long)target;
            if (fixup.Size == 1 && value != (sbyte)value)
            {
                throw new InvalidOperationException("A short branch does not reach.");
            }

            for (int i = 0; i < fixup.Size; i++)
            {
                bytes[fixup.At + i] = (byte)(value >> (i * 8));
            }
        }

        return bytes;
    }

    public int NewLabel()
    {
        _labels.Add(-1);
        return _labels.Count - 1;
    }

    public int BindNew()
    {
        int label = NewLabel();
        Bind(label);
        return label;
    }

    public void Bind(int label) => _labels[label] = Count;

    public ulong AddressOf(int label) => Origin + (ulong)_labels[label];

    /// <summary>False, with nothing written, where the instruction cannot be encoded.</summary>
    public bool TryEmit(in Instruction instruction)
    {
        int start = Count;
        if (Count + 16 > _capacity || !_encoder.TryEncode(in instruction, Here, out uint length, out _))
        {
            _writer.Bytes.RemoveRange(start, Count - start);
            return false;
        }

        Lengths[start] = (byte)length;
        return true;
    }

    public void Emit(in Instruction instruction)
    {
        if (!TryEmit(instruction))
        {
            throw new InvalidOperationException($"Cannot encode {instruction.Code}.");
        }
    }

    /// <summary>An instruction given by its bytes.</summary>
    public void Raw(params ReadOnlySpan<byte> bytes)
    {
        Lengths[Count] = (byte)bytes.Length;
        _writer.Bytes.AddRange(bytes);
    }

    /// <summary>Several instructions given by their bytes.</summary>
    public void Instructions(byte[] bytes)
    {
        Decoder decoder = Decoder.Create(Bits, new ByteArrayCodeReader(bytes), Here);
        for (int at = 0; at < bytes.Length;)
        {
            int length = decoder.Decode().Length;
            Raw(bytes.AsSpan(at, length));
            at += length;
        }
    }

    /// <summary>Bytes that are no instruction.</summary>
    public void Filler(ReadOnlySpan<byte> bytes) => _writer.Bytes.AddRange(bytes);

    /// <summary>A near branch.</summary>
    public void Branch(Code code, int label)
    {
        int start = Count;
        Emit(Instruction.CreateBranch(code, Here + 8));
        Fix(start, label, 0, relative: true, displacement: false);
    }

    /// <summary>An instruction whose immediate is the instruction pointer of a label.</summary>
    public void EmitImmediate(in Instruction instruction, int label, int addend = 0)
    {
        int start = Count;
        Emit(instruction);
        Fix(start, label, addend, relative: false, displacement: false);
    }

    /// <summary>An instruction whose displacement is the instruction pointer of a label, or of the end of the instruction itself.</summary>
    public void EmitDisplacement(in Instruction instruction, int label, int addend, bool fromEnd = false)
    {
        int start = Count;
        Emit(instruction);
        Fix(start, label, fromEnd ? addend + Count - start : addend, relative: false, displacement: true);
    }

    /// <summary>A far call or jump to a label of this code; outside of 64-bit mode, or from compatibility mode.</summary>
    public void FarBranch(byte opcode, int label, ReadOnlySpan<byte> selector)
    {
        int size = Bits == 16 ? 2 : 4;
        Lengths[Count] = (byte)(1 + size + 2);
        _writer.Bytes.Add(opcode);
        Pointer(label, size);
        _writer.Bytes.AddRange(selector[..2]);
    }

    /// <summary>Fixed code, as an assembler writes it.</summary>
    public void Assemble(Action<Assembler> write)
    {
        Assembler assembler = new(Bits);
        write(assembler);
        foreach (Instruction instruction in assembler.Instructions)
        {
            Emit(instruction);
        }
    }

    /// <summary>Bytes that hold the instruction pointer of a label.</summary>
    public void Pointer(int label, int size)
    {
        _fixups.Add(new Fixup(Count, size, Count + size, label, 0, false));
        _writer.Bytes.AddRange(new byte[size]);
    }

    private void Fix(int start, int label, int addend, bool relative, bool displacement)
    {
        ConstantOffsets offsets = _encoder.GetConstantOffsets();
        (int at, int size) = displacement ? (offsets.DisplacementOffset, offsets.DisplacementSize) : (offsets.ImmediateOffset, offsets.ImmediateSize);
        _fixups.Add(new Fixup(start + at, size, Count, label, addend, relative));
    }

    private readonly record struct Fixup(int At, int Size, int End, int Label, int Addend, bool Relative);

    private sealed class ByteWriter : CodeWriter
    {
        public List<byte> Bytes { get; } = [];

        public override void WriteByte(byte value) => Bytes.Add(value);
    }
}
