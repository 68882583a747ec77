using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>Runs captured real-mode tests in a <see cref="Vcpu"/>, one after the other.</summary>
internal sealed unsafe class VectorRunner : IDisposable, ICpuBus
{
    // Container order to hardware numbers; segment registers by SegmentIndex.
    private static readonly int[] s_general = [0, 3, 1, 2, -1, -1, -1, -1, 4, 5, 6, 7];
    private static readonly int[] s_segments = [-1, -1, -1, -1, SegmentIndex.Cs, SegmentIndex.Ss, SegmentIndex.Ds, SegmentIndex.Es];

    private const int VectorSize = 4;
    private const uint StackFault = 12;
    private const uint GeneralProtection = 13;

    private readonly PhysicalMemory _memory = new(32 << 20);
    private readonly Vcpu _cpu;

    public VectorRunner() => _cpu = new Vcpu(_memory, this, CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };

    public byte TaskPriority { get; set; }

    /// <summary>Null where the processor did what hardware did, else what differs.</summary>
    public string? Run(MooTest test, in RealModeInstruction instruction, ushort undefinedFlags)
    {
        Load(test);
        if (VectorRules.IsStackLimit(test, in instruction))
        {
            MoveVector(GeneralProtection, StackFault);
        }

        ExitReason exit = _cpu.Run(200_000);
        string? difference = exit == ExitReason.Halted ? Compare(test, in instruction, undefinedFlags) : $"ended with {exit} at {_cpu.State->Cs.Selector:X4}:{_cpu.State->Rip:X4}";
        Clear(test.InitialMemory);
        Clear(test.FinalMemory);
        _memory.Write(StackFault * VectorSize, stackalloc byte[VectorSize]);
        return difference;
    }

    public void Dispose()
    {
        _cpu.Dispose();
        _memory.Dispose();
    }

    public uint ReadPort(ushort port, int size) => uint.MaxValue;

    public void WritePort(ushort port, int size, uint value)
    {
    }

    public ulong ReadMmio(ulong physicalAddress, int size) => ulong.MaxValue;

    public void WriteMmio(ulong physicalAddress, int size, ulong value)
    {
    }

    public int AcknowledgeInterrupt() => -1;

    public ulong ReadTimestampCounter() => 0;

    public bool TryReadMsr(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteMsr(uint index, ulong value) => false;

    private void Load(MooTest test)
    {
        _cpu.Reset();
        CpuState* s = _cpu.State;
        s->IdtLimit = 0x3FF;
        foreach ((uint address, byte value) in test.InitialMemory)
        {
            _memory.Write(address, [value]);
        }

        for (int i = 0; i < 14; i++)
        {
            ushort value = test.InitialRegisters[i] ?? 0;
            if (i < 12 && s_general[i] >= 0)
            {
                _cpu.SetRegister(s_general[i], value);
            }
            else if (i < 8)
            {
                SegmentRegister* segment = CpuState.Segment(s, s_segments[i]);
                _cpu.SetSegment(s_segments[i], value, (ulong)value << 4, 0xFFFF, segment->Attributes);
            }
            else if (i == 12)
            {
                s->Rip = value;
            }
            else
            {
                Flags.Set(s, value, uint.MaxValue & ~(uint)VectorRules.FixedHigh);
            }
        }

        _cpu.UpdateMode();
    }

    private void Clear(List<(uint Address, byte Value)> memory)
    {
        foreach ((uint address, _) in memory)
        {
            _memory.Write(address, [0]);
        }
    }

    /// <summary>Gives one interrupt vector's handler to another, and the first none.</summary>
    private void MoveVector(uint from, uint to)
    {
        Span<byte> vector = stackalloc byte[VectorSize];
        _memory.Read(from * VectorSize, vector);
        _memory.Write(to * VectorSize, vector);
        vector.Clear();
        _memory.Write(from * VectorSize, vector);
    }

    private string? Compare(MooTest test, in RealModeInstruction instruction, ushort undefinedFlags)
    {
        CpuState* s = _cpu.State;
        bool faultingString = VectorRules.IsFaultingString(test, in instruction);
        uint flagsImage = FlagsImage(test);
        List<string> differences = [];
        for (int i = 0; i < 14; i++)
        {
            ushort expected = test.FinalRegisters[i] ?? test.InitialRegisters[i] ?? 0;
            if (faultingString && MooTest.RegisterNames[i] is "cx" or "si" or "di")
            {
                if (instruction.Repeated)
                {
                    continue;
                }

                expected = test.InitialRegisters[i] ?? 0;
            }

            ushort actual;
            ushort mask = 0xFFFF;
            if (i < 12 && s_general[i] >= 0)
            {
                actual = (ushort)_cpu.GetRegister(s_general[i]);
            }
            else if (i < 8)
            {
                actual = CpuState.Segment(s, s_segments[i])->Selector;
            }
            else if (i == 12)
            {
                actual = (ushort)s->Rip;
            }
            else
            {
                actual = (ushort)Flags.Get(s);
                mask = (ushort)~(VectorRules.FixedHigh | undefinedFlags);
            }

            if (((expected ^ actual) & mask) != 0)
            {
                differences.Add($"{MooTest.RegisterNames[i]} is {actual:X4}, hardware has {expected:X4}");
            }
        }

        Span<byte> one = stackalloc byte[1];
        foreach ((uint address, byte value) in test.FinalMemory)
        {
            _memory.Read(address, one);
            byte mask = 0xFF;
            if (test.Exception != null && address == flagsImage)
            {
                mask = (byte)~undefinedFlags;
            }
            else if (test.Exception != null && address == flagsImage + 1)
            {
                mask = (byte)~((VectorRules.FixedHigh | undefinedFlags) >> 8);
            }

            if (((one[0] ^ value) & mask) != 0)
            {
                differences.Add($"[{address:X6}] is {one[0]:X2}, hardware has {value:X2}");
            }
        }

        return differences.Count == 0 ? null : string.Join("; ", differences);
    }

    /// <summary>Where the FLAGS image is. The capture names the bus word that was addressed: for an odd stack pointer the image begins one byte higher.</summary>
    private static uint FlagsImage(MooTest test)
    {
        const int Sp = 8;
        int stackPointer = test.FinalRegisters[Sp] ?? test.InitialRegisters[Sp] ?? 0;
        return (test.FlagsImage & ~1u) | ((uint)stackPointer & 1);
    }
}
