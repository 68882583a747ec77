using System;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;

namespace VirtShell.Machine.Bios;

/// <summary>What a BIOS service works on: the processor's registers and memory as the caller's segments and paging show them, and the board's ports.</summary>
/// <remarks>Sound: the state lives as long as the processor. Accesses raise the guest's faults, so a service changes nothing before its last one that may.</remarks>
internal sealed unsafe class BiosCpu(Vcpu cpu, Board board)
{
    /// <summary>The carry flag in a flags image.</summary>
    public const ushort Carry = 1 << 0;

    /// <summary>The zero flag in a flags image.</summary>
    public const ushort Zero = 1 << 6;

    private const int FlagsOffset = 4;
    private const uint DataArea = 0x400;

    private readonly CpuState* _s = cpu.State;

    public Vcpu Processor => cpu;

    public Board Board => board;

    public uint Eax { get => (uint)_s->Gpr[0]; set => _s->Gpr[0] = value; }

    public uint Ecx { get => (uint)_s->Gpr[1]; set => _s->Gpr[1] = value; }

    public uint Edx { get => (uint)_s->Gpr[2]; set => _s->Gpr[2] = value; }

    public uint Ebx { get => (uint)_s->Gpr[3]; set => _s->Gpr[3] = value; }

    public uint Esi { get => (uint)_s->Gpr[6]; set => _s->Gpr[6] = value; }

    public uint Edi { get => (uint)_s->Gpr[7]; set => _s->Gpr[7] = value; }

    public ushort Ax { get => Word(0); set => SetWord(0, value); }

    public ushort Cx { get => Word(1); set => SetWord(1, value); }

    public ushort Dx { get => Word(2); set => SetWord(2, value); }

    public ushort Bx { get => Word(3); set => SetWord(3, value); }

    public ushort Sp { get => Word(4); set => SetWord(4, value); }

    public ushort Bp { get => Word(5); set => SetWord(5, value); }

    public ushort Si { get => Word(6); set => SetWord(6, value); }

    public ushort Di { get => Word(7); set => SetWord(7, value); }

    public byte Al { get => Low(0); set => SetLow(0, value); }

    public byte Ah { get => High(0); set => SetHigh(0, value); }

    public byte Cl { get => Low(1); set => SetLow(1, value); }

    public byte Ch { get => High(1); set => SetHigh(1, value); }

    public byte Dl { get => Low(2); set => SetLow(2, value); }

    public byte Dh { get => High(2); set => SetHigh(2, value); }

    public byte Bl { get => Low(3); set => SetLow(3, value); }

    public byte Bh { get => High(3); set => SetHigh(3, value); }

    public ushort Es { get => _s->Es.Selector; set => cpu.SetFirmwareSegment(SegmentIndex.Es, value); }

    public ushort Ds { get => _s->Ds.Selector; set => cpu.SetFirmwareSegment(SegmentIndex.Ds, value); }

    public ushort Ss { get => _s->Ss.Selector; set => cpu.SetFirmwareSegment(SegmentIndex.Ss, value); }

    /// <summary>The flags that the service's IRET gives back to the caller.</summary>
    public ushort CallerFlags
    {
        get => cpu.PeekStack(FlagsOffset);
        set => cpu.PokeStack(FlagsOffset, value);
    }

    /// <summary>Whether the caller had interrupts on.</summary>
    public bool CallerTakesInterrupts => (CallerFlags & 0x200) != 0;

    public void SetCarry(bool isSet) => SetFlag(Carry, isSet);

    public void SetZero(bool isSet) => SetFlag(Zero, isSet);

    /// <summary>Sets the carry flag that the instruction after the call finds.</summary>
    public void SetLiveCarry(bool isSet) => Flags.SetCf(_s, isSet);

    public byte Byte(uint linear) => cpu.ReadLinear<byte>(linear);

    public ushort Word(uint linear) => cpu.ReadLinear<ushort>(linear);

    public uint Dword(uint linear) => cpu.ReadLinear<uint>(linear);

    public void SetByte(uint linear, byte value) => cpu.WriteLinear(linear, value);

    public void SetWord(uint linear, ushort value) => cpu.WriteLinear(linear, value);

    public void SetDword(uint linear, uint value) => cpu.WriteLinear(linear, value);

    /// <summary>A byte of the BIOS data area, by its offset in segment 40h.</summary>
    public byte Data(int offset) => Byte(DataArea + (uint)offset);

    /// <summary>A word of the BIOS data area.</summary>
    public ushort DataWord(int offset) => Word(DataArea + (uint)offset);

    public uint DataDword(int offset) => Dword(DataArea + (uint)offset);

    public void SetData(int offset, byte value) => SetByte(DataArea + (uint)offset, value);

    public void SetDataWord(int offset, ushort value) => SetWord(DataArea + (uint)offset, value);

    public void SetDataDword(int offset, uint value) => SetDword(DataArea + (uint)offset, value);

    /// <summary>Linear address of a place in the extended BIOS data area.</summary>
    public uint Extended(int offset) => ((uint)DataWord(Bda.ExtendedSegment) << 4) + (uint)offset;

    public byte ExtendedByte(int offset) => Byte(Extended(offset));

    public void SetExtendedByte(int offset, byte value) => SetByte(Extended(offset), value);

    public byte In(int port) => (byte)board.Bus.ReadPort((ushort)port, 1);

    public ushort InWord(int port) => (ushort)board.Bus.ReadPort((ushort)port, 2);

    public void Out(int port, int value) => board.Bus.WritePort((ushort)port, 1, (byte)value);

    public void OutWord(int port, int value) => board.Bus.WritePort((ushort)port, 2, (ushort)value);

    /// <summary>Reads at ES:offset.</summary>
    public void ReadEs(uint offset, Span<byte> destination) => cpu.ReadGuest(SegmentIndex.Es, offset, destination);

    /// <summary>Writes at ES:offset.</summary>
    public void WriteEs(uint offset, ReadOnlySpan<byte> source) => cpu.WriteGuest(SegmentIndex.Es, offset, source);

    /// <summary>Reads at DS:offset.</summary>
    public void ReadDs(uint offset, Span<byte> destination) => cpu.ReadGuest(SegmentIndex.Ds, offset, destination);

    /// <summary>Writes at DS:offset.</summary>
    public void WriteDs(uint offset, ReadOnlySpan<byte> source) => cpu.WriteGuest(SegmentIndex.Ds, offset, source);

    private void SetFlag(ushort mask, bool isSet)
    {
        ushort flags = CallerFlags;
        CallerFlags = (ushort)(isSet ? flags | mask : flags & ~mask);
    }

    private ushort Word(int register) => (ushort)_s->Gpr[register];

    private void SetWord(int register, ushort value) => *(ushort*)&_s->Gpr[register] = value;

    private byte Low(int register) => (byte)_s->Gpr[register];

    private void SetLow(int register, byte value) => *(byte*)&_s->Gpr[register] = value;

    private byte High(int register) => (byte)(_s->Gpr[register] >> 8);

    private void SetHigh(int register, byte value) => *((byte*)&_s->Gpr[register] + 1) = value;
}
