using System;
using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Accesses of a block whose addresses differ by constants lie in a <b>window</b>: the first one checks that all of it is in one page,
/// and the others need no check of their own. Where a window crosses pages, the block goes on in a strict translation, where each
/// access is checked by itself.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Bytes that a window spans at most: the wider it is, the more often it crosses pages.</summary>
    private const int MaxSpan = 192;

    /// <summary>Displacements beyond this are not put together, so that no sum of them leaves 32 bits.</summary>
    private const long MaxDisplacement = 1 << 30;

    /// <summary>Two for each instruction: its operand, and the stack.</summary>
    private const int MaxAccesses = BlockReader.MaxItems * 2;

    private const int NoSymbol = 16;
    private const int RipSymbol = 17;
    private const int FirstSymbol = 18;

    private readonly Window[] _windows = new Window[MaxAccesses];
    private readonly WindowAccess[] _operandAccesses = new WindowAccess[BlockReader.MaxItems];
    private readonly WindowAccess[] _stackAccesses = new WindowAccess[BlockReader.MaxItems];

    /// <summary>Which window each access is in, in the order in which they are made; -1 behind the last one.</summary>
    private readonly int[] _accessOrder = new int[MaxAccesses + 1];

    // What general registers hold, as a sum of something unknown (a symbol) and a constant.
    private readonly int[] _symbols = new int[16];
    private readonly long[] _offsets = new long[16];
    private int _nextSymbol;
    private int _accessCount;
    private int _windowCount;

    /// <summary>The first window that further accesses may join while planning.</summary>
    private int _firstOpen;

    /// <summary>The window to whose start the scratch register points, until an instruction that may write it has been emitted; -1: none.</summary>
    private int _pointsTo = -1;

    /// <summary>Where the memory operand lies from the address in the scratch register.</summary>
    private int _operand;

    private bool IsStrict => (_key & TranslationKey.Strict) != 0;

    /// <summary>Finds the windows of the block that was read.</summary>
    private void PlanWindows(Item[] items)
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

        for (int i = 0; i < _count; i++)
        {
            ref Item item = ref items[i];
            if (item.Family is Family.CallOut or Family.Exit or Family.SystemFlag or Family.SwapGs or Family.SegmentBase)
            {
                // What these do to mappings and segments is not followed.
                _firstOpen = _windowCount;
            }

            if (item.Family == Family.Repeat)
            {
                _operandAccesses[i] = Plan(-1, 0, item.Instruction.MemorySize.GetSize());
                _stackAccesses[i] = Plan(-1, 0, item.Instruction.MemorySize.GetSize());
            }
            else if (item.HasMemory)
            {
                _operandAccesses[i] = PlanOperand(in item);
            }

            PlanStack(in item, i);
            Follow(in item);
        }

        _accessOrder[_accessCount] = -1;
    }

    /// <summary>Before the first instruction, and after whatever may have changed mappings: nothing has been checked.</summary>
    private void CloseWindows()
    {
        for (int i = 0; i < _windowCount; i++)
        {
            _windows[i].IsOpen = false;
        }

        _pointsTo = -1;
    }

    private WindowAccess PlanOperand(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        Register segment = instruction.MemorySegment is Register.FS or Register.GS ? instruction.MemorySegment : Register.None;
        long displacement = DisplacementOf(in instruction);
        if (IsBitString(in item) || (!_is64 && !IsFlat(instruction.MemorySegment)) || AddressBits(in instruction) != StackSize * 8 || displacement is <= -MaxDisplacement or >= MaxDisplacement)
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
            long offset = _offsets[register] - (item.Family is Family.Push or Family.Call ? StackSize : 0);
            _stackAccesses[index] = Plan(KeyOf(_symbols[register], NoSymbol, 1, Register.None), offset, StackSize);
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
        int found = IsStrict || key < 0 ? _windowCount : _firstOpen;
        while (found < _windowCount && (_windows[found].Key != key || Math.Max(_windows[found].End, offset + size) - Math.Min(_windows[found].Start, offset) > MaxSpan))
        {
            found++;
        }

        ref Window window = ref _windows[found];
        if (found == _windowCount)
        {
            _windowCount++;
            window = new Window { Key = key, Start = offset, End = offset + size, Slot = (byte)(found & (CpuState.WindowCount - 1)) };
        }

        window.Start = Math.Min(window.Start, offset);
        window.End = Math.Max(window.End, offset + size);
        window.Last = _accessCount;
        _accessOrder[_accessCount] = found;
        return new WindowAccess { Window = found, Ordinal = _accessCount++, Offset = offset };
    }

    // What the instruction does to the registers' sums.
    private void Follow(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int size = StackSize;
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
            case Family.Alu when target >= 0 && instruction.Mnemonic is Mnemonic.Add or Mnemonic.Sub && IsImmediate(in instruction):
                long immediate = (long)instruction.GetImmediate(1);
                _offsets[target] += instruction.Mnemonic == Mnemonic.Add ? immediate : -immediate;
                return;
            case Family.Increment when target >= 0:
                _offsets[target] += instruction.Mnemonic == Mnemonic.Inc ? 1 : -1;
                return;
            case Family.Lea when target >= 0 && instruction.MemoryIndex == Register.None && instruction.MemoryBase.IsGPR() && instruction.MemoryBase.GetSize() == size:
                Copy(target, instruction.MemoryBase.GetNumber(), DisplacementOf(in instruction));
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

    private static bool IsImmediate(in Instruction instruction) => instruction.Op1Kind is >= OpKind.Immediate8 and <= OpKind.Immediate32to64;

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

    /// <summary>Whether the access needs no check: the scratch register then points to its window.</summary>
    private bool TryReach(in WindowAccess access, bool write)
    {
        ref Window window = ref _windows[access.Window];
        _operand = (int)(access.Offset - window.Start);
        if (!window.IsOpen || (write && !window.IsWritable))
        {
            return false;
        }

        if (!PointsTo(access.Window))
        {
            if (!window.IsKept)
            {
                return false;
            }

            _code.LoadState(HostRegister.Scratch, StateOffset.Window(window.Slot));
            PointTo(access.Window);
        }

        return true;
    }

    /// <summary>The check has succeeded, and the scratch register points to the access's window.</summary>
    private void Open(in WindowAccess access, bool write)
    {
        ref Window window = ref _windows[access.Window];
        window.IsWritable = write || (window.IsOpen && window.IsWritable);
        window.IsOpen = true;
        window.IsKept = false;
        PointTo(access.Window);
        if (window.Last > access.Ordinal && _accessOrder[access.Ordinal + 1] != access.Window)
        {
            // The next access needs the register for another address.
            Keep(in access);
        }
    }

    /// <summary>Keeps the pointer to an open window in its slot.</summary>
    private void Keep(in WindowAccess access)
    {
        ref Window window = ref _windows[access.Window];
        for (int i = 0; i < _windowCount; i++)
        {
            _windows[i].IsKept &= _windows[i].Slot != window.Slot;
        }

        _code.StoreState(StateOffset.Window(window.Slot), HostRegister.Scratch);
        window.IsKept = true;
        PointTo(access.Window);
    }

    /// <summary>Slots of windows that later accesses rely on, as bits.</summary>
    private ushort KeptSlots(int ordinal)
    {
        int kept = 0;
        for (int i = 0; i < _windowCount; i++)
        {
            ref Window window = ref _windows[i];
            kept |= window.IsOpen && window.IsKept && window.Last >= ordinal ? 1 << window.Slot : 0;
        }

        return (ushort)kept;
    }

    private int SpanOf(in WindowAccess access) => (int)(_windows[access.Window].End - _windows[access.Window].Start);

    private bool PointsTo(int window) => _pointsTo == window && (_code.Touched & ScratchBit) == 0;

    private void PointTo(int window)
    {
        _pointsTo = window;
        _code.Touched &= ~ScratchBit;
    }

    private struct Window
    {
        /// <summary>What its addresses are sums of; -1: of nothing that others could share.</summary>
        public long Key;

        /// <summary>The constant part of its first address.</summary>
        public long Start;
        public long End;

        /// <summary>Number of the last access.</summary>
        public int Last;

        /// <summary>Place in the state for its host address.</summary>
        public byte Slot;
        public bool IsOpen;
        public bool IsWritable;

        /// <summary>The slot holds its host address.</summary>
        public bool IsKept;
    }

    private struct WindowAccess
    {
        public int Window;

        /// <summary>Which access of the block it is.</summary>
        public int Ordinal;
        public long Offset;
    }
}
