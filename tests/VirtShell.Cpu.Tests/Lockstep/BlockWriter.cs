using System;
using System.Collections.Generic;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Writes random code in one code size and privilege: instructions from the table, and patterns of several.</summary>
internal sealed partial class BlockWriter
{
    private const int MaxDepth = 3;
    private readonly GuestProgram _program;
    private readonly ModeInfo _mode;
    private readonly Mix _mix;
    private readonly Random _random;
    private readonly CodeEmitter _code;
    private readonly OperandWriter _operands;
    private readonly List<Region> _regions;
    private readonly bool _kernel;
    private readonly bool _service;
    private readonly int _size;
    private readonly List<ulong> _islands = [];
    private int _depth;
    private int _fixedPointers;
    private int _cells;

    /// <param name="program">The program that it is for.</param>
    /// <param name="mix">What it is made of.</param>
    /// <param name="code">Where it goes.</param>
    /// <param name="random">Source of everything random.</param>
    /// <param name="service">It is a service of the kernel: flat, of the highest privilege.</param>
    public BlockWriter(GuestProgram program, Mix mix, CodeEmitter code, Random random, bool service)
    {
        _program = program;
        _mode = program.Mode;
        _mix = mix;
        _code = code;
        _random = random;
        _service = service;
        _kernel = service || _mode.Cpl == 0;
        _size = code.Bits / 8;
        _operands = new OperandWriter(code.Bits, random);
        _regions = Regions.Of(_mode, service);
        _cells = service ? 0x200 : 0;
        for (int i = 0; i < 8; i++)
        {
            _operands.Places.Add(Place());
        }
    }

    /// <summary>Labels of the functions that the code being written may call.</summary>
    public List<Function> Callable { get; } = [];

    /// <summary>How many instructions of each family were written.</summary>
    public Dictionary<Family, int> Written { get; } = [];

    private bool Flat => _service ? _code.Bits != 16 : !_mode.Segmented;

    /// <summary>Offset of the data in the segment that DS holds.</summary>
    private ulong DataOffset => Layout.Data - (_service && _code.Bits != 16 ? 0 : _mode.DataBase);

    /// <summary>About so many instructions, flow included.</summary>
    public void Body(int count)
    {
        for (int i = 0; i < count && !_code.IsNearlyFull; i++)
        {
            if (_fixedPointers == 0 && (_operands.Pointers.Count == 0 || _random.Next(12) == 0))
            {
                LoadPointers();
            }

            Family family = _mix.Choose(_random);
            if (family > Family.Mmx)
            {
                Pattern(family);
            }
            else
            {
                Plain(family);
            }
        }
    }

    /// <summary>Starts a function or the like: nothing is known of the registers.</summary>
    public void Begin()
    {
        _operands.Kept.Clear();
        _operands.Pointers.Clear();
        LoadPointers();
    }

    /// <summary>Instructions on registers alone, then a return: code that can stand anywhere.</summary>
    public void Leaf(int count)
    {
        _operands.RegistersOnly = true;
        Family[] families = [Family.Arithmetic, Family.FlagUsers, Family.Shifts, Family.Bits];
        for (int i = 0; i < count; i++)
        {
            Plain(families[_random.Next(families.Length)]);
        }

        _operands.RegistersOnly = false;
        _code.Emit(Instruction.Create(ByBits(Code.Retnw, Code.Retnd, Code.Retnq)));
    }

    /// <summary>What the program does first, and again after it has lost its way.</summary>
    public void Preamble()
    {
        _code.Raw(0xFC);
        int rpl = _mode.Cpl;
        if (_code.Bits != 64)
        {
            ulong data = _mode.IsReal ? Layout.Data >> 4 : Layout.ProgramData | (ulong)(uint)rpl;
            ulong fs = !_mode.Segmented ? data : _mode.IsReal ? Layout.Mmio >> 4 : (_random.Next(2) == 0 ? Layout.SmallData : Layout.MmioData) | (ulong)(uint)rpl;
            ulong gs = !_mode.Segmented ? data : _mode.IsReal ? Layout.Code >> 4 : Layout.CodeAsData | (ulong)(uint)rpl;
            foreach ((ulong selector, byte modrm) in new[] { (data, (byte)0xD8), (data, (byte)0xC0), (fs, (byte)0xE0), (gs, (byte)0xE8) })
            {
                Load(Register.EAX, selector);
                _code.Raw(0x8E, modrm);
            }
        }

        if (_kernel)
        {
            Load(Register.EAX, 0x400);
            _code.Raw(0x0F, 0x23, 0xF8);
        }

        _code.Raw(0xDB, 0xE3); // fninit
        MemoryOperand control = new(Register.None, Register.None, 1, (long)(DataOffset + 0xFE00), _code.Bits == 16 ? 2 : 4, false, Register.None);
        _code.Emit(Instruction.Create(Code.Ldmxcsr_m32, control));
    }

    /// <summary>One instruction of a family from the table.</summary>
    public void Plain(Family family)
    {
        if (InstructionTable.Of(_code.Bits, family).Length == 0 || (_mode.IsReal && family == Family.Avx))
        {
            family = Family.Moves;
        }

        for (int attempt = 0; attempt < 12; attempt++)
        {
            if (_operands.Make(InstructionTable.Choose(_code.Bits, family, _random)) is Instruction instruction && _code.TryEmit(instruction))
            {
                Count(family);
                return;
            }
        }
    }

    /// <summary>Loads fresh pointers into a few registers, which random instructions then leave alone.</summary>
    public void LoadPointers()
    {
        foreach (Register register in _operands.Pointers.Keys)
        {
            _operands.Kept.Remove(OperandWriter.Full(register));
        }

        _operands.Pointers.Clear();
        _operands.Places[_random.Next(_operands.Places.Count)] = Place();
        int count = _random.Next(1, 4);
        for (int i = 0; i < count; i++)
        {
            Register register = PointerRegister();
            if (!_operands.Pointers.ContainsKey(register) && !_operands.Kept.Contains(OperandWriter.Full(register)))
            {
                (Register segment, ulong offset) = Place();
                Load(register, offset);
                _operands.Pointers[register] = segment;
                _operands.Kept.Add(OperandWriter.Full(register));
            }
        }

        if (_random.Next(3) == 0)
        {
            // String instructions take theirs from here; short counts are the rule.
            Register count16 = _size == 2 ? Register.CX : _size == 4 ? Register.ECX : Register.RCX;
            if (!_operands.Kept.Contains(Register.RCX))
            {
                Load(count16, (ulong)_random.Next(_random.Next(8) == 0 ? 600 : 12));
            }

            Region data = _regions[0];
            foreach (Register register in _size == 2 ? new[] { Register.SI, Register.DI } : _size == 4 ? [Register.ESI, Register.EDI] : [Register.RSI, Register.RDI])
            {
                if (!_operands.Kept.Contains(OperandWriter.Full(register)))
                {
                    Load(register, data.Start + (ulong)_random.Next(data.Length));
                }
            }
        }
    }

    /// <summary>A random address in one of the regions.</summary>
    private (Register Segment, ulong Offset) Place()
    {
        if (_islands.Count > 0 && CodeSegment() is Register alias && _random.Next(20) == 0)
        {
            return (alias, _islands[_random.Next(_islands.Count)]);
        }

        int total = 0;
        foreach (Region region in _regions)
        {
            total += region.Weight;
        }

        int at = _random.Next(total);
        Region chosen = _regions[0];
        foreach (Region region in _regions)
        {
            at -= region.Weight;
            if (at < 0)
            {
                chosen = region;
                break;
            }
        }

        ulong offset = chosen.Start + (ulong)_random.Next(chosen.Length);
        offset = _random.Next(10) switch
        {
            0 => (offset & ~0xFFFUL) + 0xFFF - (ulong)_random.Next(24),
            < 6 => offset & ~31UL,
            _ => offset,
        };
        return (chosen.Segment, offset);
    }

    /// <summary>The segment through which code can be written; null where there is none.</summary>
    private Register? CodeSegment() => Flat ? Register.None : _service ? null : _mode.IsReal ? Register.CS : Register.GS;

    private Register PointerRegister()
    {
        if (_code.Bits == 16 && _random.Next(4) != 0)
        {
            return _random.Next(4) switch { 0 => Register.BX, 1 => Register.BP, 2 => Register.SI, _ => Register.DI };
        }

        return _operands.Free(_code.Bits == 64 && _random.Next(8) != 0 ? 8 : 4);
    }

    private void Load(Register register, ulong value)
    {
        Instruction load = register.GetSize() switch
        {
            2 => Instruction.Create(Code.Mov_r16_imm16, register, (uint)(ushort)value),
            4 => Instruction.Create(Code.Mov_r32_imm32, register, (uint)value),
            _ when value <= int.MaxValue && _random.Next(4) != 0 => Instruction.Create(Code.Mov_rm64_imm32, register, (int)value),
            _ => Instruction.Create(Code.Mov_r64_imm64, register, value),
        };
        _code.Emit(load);
    }

    /// <summary>The next loop counter: a dword at the end of the data segment.</summary>
    private MemoryOperand Cell()
    {
        ulong offset = DataOffset + 0xF000 + (ulong)(_cells++ & 0x3FF) * 4;
        return new MemoryOperand(Register.None, Register.None, 1, (long)offset, _code.Bits == 16 ? 2 : 4, false, Register.None);
    }

    private void Pattern(Family family)
    {
        Count(family);
        switch (family)
        {
            case Family.Branches:
                Branch();
                break;
            case Family.Loops:
                Loop();
                break;
            case Family.Calls:
                Call();
                break;
            case Family.Indirect:
                Indirect();
                break;
            case Family.Stack:
                StackGame();
                break;
            case Family.Ports:
                Port();
                break;
            case Family.Traps:
                Trap();
                break;
            case Family.Interrupts:
                Interrupts();
                break;
            case Family.SelfModifying:
                SelfModify();
                break;
            case Family.Segments:
                Segment();
                break;
            case Family.System:
                SystemRegister();
                break;
            case Family.Paging:
                ChangePages();
                break;
            case Family.Debug:
                DebugRegisters();
                break;
            case Family.Gates:
                Gate();
                break;
            case Family.Tasks:
                SwitchTask();
                break;
            case Family.AddressSpaces:
                AddressSpace();
                break;
        }
    }

    private void Count(Family family) => Written[family] = Written.GetValueOrDefault(family) + 1;

    /// <summary>Instructions that leave the pointers as they are, for code that may be skipped or repeated.</summary>
    private void Inner(int count)
    {
        _depth++;
        _fixedPointers++;
        if (_depth > MaxDepth)
        {
            Few(count);
        }
        else
        {
            Body(count);
        }

        _fixedPointers--;
        _depth--;
    }

    /// <summary>Instructions of the table alone: short, and without flow.</summary>
    private void Few(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Family family = _mix.Choose(_random);
            Plain(family > Family.Mmx ? Family.Arithmetic : family);
        }
    }
}

/// <summary>A function of the program.</summary>
/// <param name="Label">Where it begins.</param>
/// <param name="Arguments">Stack slots that it takes off when it returns.</param>
internal readonly record struct Function(int Label, int Arguments);
