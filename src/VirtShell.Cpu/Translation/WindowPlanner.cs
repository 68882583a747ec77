using System;
using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Finds the windows of a block: it follows what general registers hold, as a sum of something unknown (a symbol) and a constant, and
/// puts accesses together whose addresses differ by constants.
/// </summary>
internal sealed class WindowPlanner(BlockPlan plan)
{
    /// <summary>Bytes that a window spans at most: the wider it is, the more often it crosses pages.</summary>
    private const int MaxSpan = 192;

    /// <summary>Displacements beyond this are not put together, so that no sum of them leaves 32 bits.</summary>
    private const long MaxDisplacement = 1 << 30;

    private const int NoSymbol = 16;
    private const int RipSymbol = 17;
    private const int FirstSymbol = 18;

    private readonly int[] _symbols = new int[16];
    private readonly long[] _offsets = new long[16];
    private int _nextSymbol;
    private int _accessCount;
    private int _windowCount;

    /// <summary>The first window that further accesses may join.</summary>
    private int _firstOpen;

    /// <summary>Fills in the plan's windows, accesses and their order; gives the number of windows.</summary>
    public int Run()
    {
        _windowCount = 0;
        _accessCount = 0;
        _firstOpen = 0;
        _nextSymbol = FirstSymbol;
        for (int i = 0; i < _symbols.Length; i++)
        {
            _symbols[i] = i;
            _offsets[i] = 0;
        }

        for (int i = 0; i < plan.Count; i++)
        {
            ref Item item = ref plan.Items[i];
            if (item.Family is Family.CallOut or Family.Exit or Family.SystemFlag or Family.SwapGs or Family.SegmentBase)
            {
                // What these do to mappings and segments is not followed.
                _firstOpen = _windowCount;
            }

            if (item.Family == Family.Repeat)
            {
                plan.OperandAccesses[i] = Plan(-1, 0, item.Instruction.MemorySize.GetSize());
                plan.StackAccesses[i] = Plan(-1, 0, item.Instruction.MemorySize.GetSize());
            }
            else if (item.HasMemory)
            {
                plan.OperandAccesses[i] = PlanOperand(in item);
            }

            PlanStack(in item, i);
            Follow(in item);
        }

        plan.AccessOrder[_accessCount] = -1;
        return _windowCount;
    }

    private WindowAccess PlanOperand(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        Register segment = instruction.MemorySegment is Register.FS or Register.GS ? instruction.MemorySegment : Register.None;
        long displacement = plan.DisplacementOf(in instruction);
        if (BlockPlan.IsBitString(in item) || (!plan.Is64 && !plan.IsFlat(instruction.MemorySegment)) || plan.AddressBits(in instruction) != plan.StackSize * 8 || displacement is <= -MaxDisplacement or >= MaxDisplacement)
        {
            return Plan(-1, 0, item.MemorySize);
        }

        int @base = SymbolOf(instruction.MemoryBase, out long offset);
        int index = SymbolOf(instruction.MemoryIndex, out long indexOffset);
        int scale = instruction.MemoryIndexScale;
        return Plan(KeyOf(@base, index, scale, segment), offset + (indexOffset * scale) + displacement, item.MemorySize);
    }

    private void PlanStack(in Item item, int index)
    {
        if (item.Family is Family.Push or Family.Call or Family.Pop or Family.Return or Family.Leave)
        {
            int register = item.Family == Family.Leave ? 5 : 4;
            long offset = _offsets[register] - (item.Family is Family.Push or Family.Call ? plan.StackSize : 0);
            plan.StackAccesses[index] = Plan(KeyOf(_symbols[register], NoSymbol, 1, Register.None), offset, plan.StackSize);
        }
    }

    private static long KeyOf(int @base, int index, int scale, Register segment) =>
        ((long)@base << 40) | ((long)index << 20) | ((long)segment << 8) | (long)scale;

    private int SymbolOf(Register register, out long offset)
    {
        offset = 0;
        if (register is Register.None or Register.RIP or Register.EIP)
        {
            return register == Register.None ? NoSymbol : RipSymbol;
        }

        int number = register.GetNumber();
        offset = _offsets[number];
        return _symbols[number];
    }

    // Puts an access into an open window of its key, or into a new one.
    private WindowAccess Plan(long key, long offset, int size)
    {
        int found = plan.IsStrict || key < 0 ? _windowCount : _firstOpen;
        while (found < _windowCount && (plan.Windows[found].Key != key || Math.Max(plan.Windows[found].End, offset + size) - Math.Min(plan.Windows[found].Start, offset) > MaxSpan))
        {
            found++;
        }

        ref PlannedWindow window = ref plan.Windows[found];
        if (found == _windowCount)
        {
            _windowCount++;
            window = new PlannedWindow { Key = key, Start = offset, End = offset + size, Slot = (byte)(found & (CpuState.WindowCount - 1)) };
        }

        window.Start = Math.Min(window.Start, offset);
        window.End = Math.Max(window.End, offset + size);
        window.Last = _accessCount;
        plan.AccessOrder[_accessCount] = found;
        return new WindowAccess { Window = found, Ordinal = _accessCount++, Offset = offset };
    }

    // What the instruction does to the registers' sums.
    private void Follow(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int size = plan.StackSize;
        int target = instruction.OpCount != 0 && instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsGPR() && instruction.Op0Register.GetSize() == size
            ? instruction.Op0Register.GetNumber() : -1;
        switch (item.Family)
        {
            case Family.Push or Family.Call:
                _offsets[4] -= size;
                return;
            case Family.Pop:
                _offsets[4] += size;
                Renew(target);
                return;
            case Family.Leave:
                _symbols[4] = _symbols[5];
                _offsets[4] = _offsets[5] + size;
                Renew(5);
                return;
            case Family.CallOut or Family.Exit:
                for (int i = 0; i < _symbols.Length; i++)
                {
                    Renew(i);
                }

                return;
            case Family.Alu when target >= 0 && instruction.Mnemonic is Mnemonic.Add or Mnemonic.Sub && BlockPlan.IsImmediate(in instruction):
                long immediate = (long)instruction.GetImmediate(1);
                _offsets[target] += instruction.Mnemonic == Mnemonic.Add ? immediate : -immediate;
                return;
            case Family.Increment when target >= 0:
                _offsets[target] += instruction.Mnemonic == Mnemonic.Inc ? 1 : -1;
                return;
            case Family.Lea when target >= 0 && instruction.MemoryIndex == Register.None && instruction.MemoryBase.IsGPR() && instruction.MemoryBase.GetSize() == size:
                Copy(target, instruction.MemoryBase.GetNumber(), plan.DisplacementOf(in instruction));
                return;
            case Family.Plain when target >= 0 && instruction.Mnemonic == Mnemonic.Mov && instruction.Op1Kind == OpKind.Register && instruction.Op1Register.IsGPR():
                Copy(target, instruction.Op1Register.GetNumber(), 0);
                return;
            default:
                break;
        }

        uint written = BlockReader.WrittenRegisters(in item);
        for (int i = 0; i < _symbols.Length; i++)
        {
            if ((written & (1u << i)) != 0)
            {
                Renew(i);
            }
        }
    }

    private void Copy(int to, int from, long displacement)
    {
        _symbols[to] = _symbols[from];
        _offsets[to] = _offsets[from] + displacement;
    }

    private void Renew(int register)
    {
        _symbols[register] = _nextSymbol++;
        _offsets[register] = 0;
    }
}
