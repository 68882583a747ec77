using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// What is known of a block before any of it is emitted: its instructions, what stands between its accesses and the TLB, which flags
/// anybody wants, whether it loops. Emitters read it; nothing but <see cref="Make"/> changes it. One object serves all blocks in turn.
/// </summary>
internal sealed unsafe class BlockPlan
{
    /// <summary>Two for each instruction: its operand, and the stack.</summary>
    private const int MaxAccesses = BlockReader.MaxItems * 2;

    private const int FarStep = 512;

    private readonly BlockReader _reader;
    private readonly WindowPlanner _windows;

    // One for each place where a block can go on; asked for when somebody first wants to know.
    private readonly FlagProspect[] _prospects = new FlagProspect[BlockReader.MaxWays];
    private int _prospectCount;
    private uint _scattered;

    public BlockPlan(BlockReader reader)
    {
        _reader = reader;
        _windows = new WindowPlanner(this);
    }

    public Item[] Items => _reader.Items;

    /// <summary>Instructions.</summary>
    public int Count { get; private set; }

    /// <summary>Host address of the guest's page.</summary>
    public byte* Page { get; private set; }

    public ulong PhysicalPage { get; private set; }

    /// <summary>See <see cref="TranslationKey"/>.</summary>
    public int Key { get; private set; }

    public bool Is64 { get; private set; }

    public bool IsStrict => (Key & TranslationKey.Strict) != 0;

    /// <summary>The block is one instruction, which ends in the next page.</summary>
    public bool Crosses { get; private set; }

    /// <summary>Offsets in the page of the first byte and behind the last one.</summary>
    public (int Low, int High) Extent => (_reader.Low, _reader.High);

    /// <summary>Accesses keep copies of TLB entries at their sites. A system's own accesses go to other pages from one time to the next, and with every process: there a copy costs more than it saves.</summary>
    public bool HasSites { get; private set; }

    /// <summary>Flags that must be in RFLAGS when the block is entered.</summary>
    public uint LiveAtEntry { get; private set; }

    /// <summary>The block branches back to its own start, and may be emitted as a loop.</summary>
    public bool Loops { get; private set; }

    public int WindowCount { get; private set; }

    public PlannedWindow[] Windows { get; } = new PlannedWindow[MaxAccesses];

    /// <summary>The access of each instruction's memory operand.</summary>
    public WindowAccess[] OperandAccesses { get; } = new WindowAccess[BlockReader.MaxItems];

    /// <summary>The access of each instruction to the stack (of REP MOVS, to the source).</summary>
    public WindowAccess[] StackAccesses { get; } = new WindowAccess[BlockReader.MaxItems];

    /// <summary>Which window each access is in, in the order in which they are made; -1 behind the last one.</summary>
    public int[] AccessOrder { get; } = new int[MaxAccesses + 1];

    public int StackSize => Is64 ? 8 : 4;

    /// <summary>Plans the block that was read.</summary>
    public void Make(byte* page, ulong physicalPage, int start, int key, bool crosses)
    {
        Begin(page, physicalPage, key, crosses, _reader.Count);
        HasSites = (key & TranslationKey.User) != 0;
        WindowCount = _windows.Run();
        LiveAtEntry = FlagPlan.Analyse(this);
        Loops = IsLoop(start);
        _scattered = FindScattered();
    }

    /// <summary>Plans a block without instructions.</summary>
    public void MakeEmpty(byte* page, ulong physicalPage, int key)
    {
        Begin(page, physicalPage, key, crosses: false, count: 0);
        HasSites = false;
        WindowCount = 0;
        LiveAtEntry = 0;
        Loops = false;
        _scattered = 0;
    }

    private void Begin(byte* page, ulong physicalPage, int key, bool crosses, int count)
    {
        Count = count;
        Page = page;
        PhysicalPage = physicalPage;
        Key = key;
        Is64 = (key & TranslationKey.ModeMask) == (int)CodeMode.Bits64;
        Crosses = crosses;
        _prospectCount = 0;
    }

    /// <summary>What the code at a target, an offset from the start of the page, wants of the flags.</summary>
    public FlagProspect ProspectOf(ulong target)
    {
        for (int i = 0; i < _prospectCount; i++)
        {
            if (_prospects[i].Target == target)
            {
                return _prospects[i];
            }
        }

        FlagProspect prospect = _reader.Prospect(Page, target, Key);
        _prospects[_prospectCount++] = prospect;
        return prospect;
    }

    public int SpanOf(in WindowAccess access) => (int)(Windows[access.Window].End - Windows[access.Window].Start);

    public bool IsScattered(in Instruction instruction) => (_scattered & (BaseBit(instruction.MemoryBase) | BaseBit(instruction.MemoryIndex))) != 0;

    public bool IsFlat(Register segment) => (Key & TranslationKey.FlatSegments) != 0 && segment is Register.DS or Register.ES or Register.SS;

    /// <summary>Bits of the address: 16, 32 or 64.</summary>
    public int AddressBits(in Instruction instruction)
    {
        Register register = instruction.MemoryBase != Register.None ? instruction.MemoryBase : instruction.MemoryIndex;
        if (register is Register.RIP or Register.EIP)
        {
            return register == Register.RIP ? 64 : 32;
        }

        if (register != Register.None)
        {
            return register.GetSize() * 8;
        }

        return instruction.MemoryDisplSize switch
        {
            8 => 64,
            4 => 32,
            2 => 16,
            _ => Is64 ? 64 : (Key & TranslationKey.ModeMask) == (int)CodeMode.Bits16 ? 16 : 32,
        };
    }

    /// <summary>The displacement, of which only the low half counts in sums of 32-bit addresses.</summary>
    public long DisplacementOf(in Instruction instruction)
    {
        long displacement = (long)instruction.MemoryDisplacement64;
        return Is64 ? displacement : (int)displacement;
    }

    /// <summary>Whether a bit test on memory names its bit in a register: it may then lie anywhere.</summary>
    public static bool IsBitString(in Item item) => item.Family == Family.BitTest && item.HasMemory && item.Instruction.Op1Kind == OpKind.Register;

    /// <summary>A branch's target as an offset from the start of the page, negative where it lies before it.</summary>
    public static ulong Signed(in Instruction instruction) => instruction.Op0Kind switch
    {
        OpKind.NearBranch64 => instruction.NearBranch64,
        OpKind.NearBranch32 => (ulong)(int)instruction.NearBranch32,
        _ => (ulong)(short)instruction.NearBranch16,
    };

    public static bool IsImmediate(in Instruction instruction) => instruction.Op1Kind is >= OpKind.Immediate8 and <= OpKind.Immediate32to64;

    // Nobody may have an opinion on the flags of the round before, but exits.
    private bool IsLoop(int start)
    {
        ref Item last = ref Items[Count - 1];
        if (last.Family != Family.Branch || Signed(in last.Instruction) != (ulong)start || LiveAtEntry != 0
            || (Key & TranslationKey.ModeMask) is not ((int)CodeMode.Bits64 or (int)CodeMode.Bits32))
        {
            return false;
        }

        int first = 0;
        while (first < Count && Items[first].Effect == FlagEffect.None)
        {
            first++;
        }

        return first < Count && Items[first].Effect == FlagEffect.Full;
    }

    // Registers that follow a chain of pointers, or step far (or nobody knows how far): the copy at a site would often be of another page.
    private uint FindScattered()
    {
        uint registers = 0;
        for (int i = 0; i < Count; i++)
        {
            ref readonly Instruction instruction = ref Items[i].Instruction;
            bool chain = instruction.Mnemonic == Mnemonic.Mov && instruction.Op0Kind == OpKind.Register && instruction.Op1Kind == OpKind.Memory
                && instruction.Op0Register == instruction.MemoryBase;
            bool steps = instruction.Mnemonic is Mnemonic.Add or Mnemonic.Sub && instruction.Op0Kind == OpKind.Register && instruction.Op0Register != Register.RSP
                && instruction.Op1Kind is OpKind.Immediate32to64 or OpKind.Immediate32 && (long)instruction.GetImmediate(1) is <= -FarStep or >= FarStep;
            bool strides = Loops && instruction.Mnemonic is Mnemonic.Add or Mnemonic.Sub && instruction.Op0Kind == OpKind.Register && instruction.Op1Kind == OpKind.Register;
            registers |= chain || steps || strides ? BaseBit(instruction.Op0Register) : 0;
        }

        for (int i = 0; i < Count && registers != 0; i++)
        {
            ref readonly Instruction instruction = ref Items[i].Instruction;
            bool copies = instruction.Mnemonic is Mnemonic.Mov or Mnemonic.Movsxd && instruction.OpCount == 2 && instruction.Op1Kind == OpKind.Register
                && (registers & BaseBit(instruction.Op1Register)) != 0;
            registers |= copies ? BaseBit(instruction.Op0Register) : 0;
        }

        return registers;
    }

    private static uint BaseBit(Register register) => BlockReader.GeneralNumber(register) is >= 0 and int number ? 1u << number : 0;
}

/// <summary>Accesses of a block that one check serves.</summary>
internal struct PlannedWindow
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
}

/// <summary>An access as a part of its window.</summary>
internal struct WindowAccess
{
    public int Window;

    /// <summary>Which access of the block it is.</summary>
    public int Ordinal;
    public long Offset;
}
