using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>Decodes the instructions that one translation covers, and looks ahead at what follows it.</summary>
internal sealed unsafe class BlockReader
{
    /// <summary>Instructions in a translated block at most.</summary>
    public const int MaxItems = 48;

    /// <summary>Places where a block can go on, at most: any instruction may have a target (a repeated one is its own), the last one also what follows.</summary>
    public const int MaxWays = MaxItems + 2;

    private const int MaxSideBranches = 6;

    /// <summary>Jumps that a block goes on behind at most, and instructions up to which it does.</summary>
    private const int MaxFollowed = 3;
    private const int FollowedUpTo = MaxItems / 2;
    private const int LookAhead = 6;

    /// <summary>Bytes of an instruction at most (SDM Vol. 2 §2.3.11).</summary>
    public const int LongestInstruction = 15;
    private readonly PageCodeReader _reader = new();
    private readonly Decoder[] _decoders;
    private readonly bool[] _supported;

    public BlockReader(bool[] supported, DecoderOptions options)
    {
        _supported = supported;
        _decoders = [Decoder.Create(16, _reader, options), Decoder.Create(32, _reader, options), Decoder.Create(64, _reader, options), Decoder.Create(32, _reader, options)];
    }

    public Item[] Items { get; } = new Item[MaxItems];

    public int Count { get; private set; }

    /// <summary>Offset of the lowest byte of its code, which is not its first one where it has followed a jump.</summary>
    public int Low { get; private set; }

    /// <summary>One past the highest.</summary>
    public int High { get; private set; }

    /// <summary>Reads a block. False: its first instruction crosses the page, so that only the interpreter can execute it.</summary>
    public bool Read(byte* page, int start, int key)
    {
        int offset = start;
        int sides = 0;
        int followed = 0;
        Count = 0;
        Low = start;
        High = start;
        while (Count < MaxItems && TryDecode(page, offset, key, out Item item))
        {
            offset += item.Length;
            Low = Math.Min(Low, item.Offset);
            High = Math.Max(High, offset);
            if (followed < MaxFollowed && Count < FollowedUpTo && Follows(in item, key))
            {
                // It only counts as an instruction: the block goes on where it leads.
                item.Family = Family.Nothing;
                offset = (int)item.Instruction.NearBranchTarget;
                followed++;
                Items[Count++] = item;
                continue;
            }

            Items[Count++] = item;
            if (item.Family == Family.Branch)
            {
                // A forward branch is left to one side; going on saves the block behind it its entry.
                ulong target = item.Instruction.NearBranchTarget;
                if (target == (ulong)start || target >= 4096 || target <= (ulong)item.Offset || ++sides > MaxSideBranches)
                {
                    break;
                }
            }
            else if (EndsBlock(item.Family))
            {
                break;
            }
        }

        if (Count > 0 && Items[Count - 1].Instruction.FlowControl == FlowControl.UnconditionalBranch && Items[Count - 1].Family == Family.Nothing)
        {
            // What it leads to can't be read from here: it is a jump after all.
            Items[Count - 1].Family = Family.Jump;
        }

        return Count > 0;
    }

    // A jump within the page, to code that the block does not have yet. Code of a system is left as it is: much of it runs once.
    private bool Follows(in Item item, int key)
    {
        if ((key & TranslationKey.User) == 0 || item.Family != Family.Jump || item.Instruction.Op0Kind is not (OpKind.NearBranch64 or OpKind.NearBranch32)
            || item.Instruction.NearBranchTarget >= 4096)
        {
            return false;
        }

        int target = (int)item.Instruction.NearBranchTarget;
        for (int i = 0; i < Count; i++)
        {
            if (Items[i].Offset == target)
            {
                return false;
            }
        }

        return target != item.Offset;
    }

    /// <summary>
    /// Reads an instruction that crosses into the next page, whose first bytes follow those of the page. False where it is the interpreter's anyway.
    /// </summary>
    public bool ReadCrossing(byte* page, int start, int key)
    {
        _reader.End = 4096 + LongestInstruction;
        bool whole = TryDecode(page, start, key, out Item item);
        _reader.End = 4096;
        Count = 1;
        Items[0] = item;
        Low = start;
        High = 4096;
        return whole && item.End > 4096 && item.Family is not (Family.Exit or Family.CallOut or Family.Repeat);
    }

    /// <summary>What the code at an offset does to status flags before it sets them all.</summary>
    public FlagProspect Prospect(byte* page, ulong offset, int key)
    {
        uint live = 0;
        uint modified = 0;
        uint modifiedAtExit = 0;
        int at = (int)offset;
        for (int i = 0; offset < 4096 && i < LookAhead && TryDecode(page, at, key, out Item item); i++)
        {
            at += item.Length;
            live |= item.Descriptor.FlagsRead;
            if (HasExit(in item))
            {
                modifiedAtExit = modified;
            }

            if (item.Effect == FlagEffect.Full)
            {
                return new FlagProspect(offset, live, modifiedAtExit);
            }

            modified |= WrittenRegisters(in item);
            if (item.Effect == FlagEffect.Settled || item.Family == Family.Branch || EndsBlock(item.Family))
            {
                break;
            }
        }

        return new FlagProspect(offset, live, uint.MaxValue);
    }

    /// <summary>Nothing is executed behind it.</summary>
    public static bool EndsBlock(Family family) =>
        family is Family.Exit or Family.Call or Family.Return or Family.Jump or Family.SystemCall or Family.SystemReturn;

    /// <summary>Whether emitted code may leave at this instruction before it has changed anything.</summary>
    public static bool HasExit(in Item item) => item.HasMemory || item.Effect == FlagEffect.Settled || item.Family is Family.Divide or Family.DoubleShift or Family.SystemFlag
        || item.Family is Family.Timestamp or Family.Repeat or Family.FaultAddress or Family.SegmentBase
        || item.Family is Family.Push or Family.Pop or Family.Leave || EndsBlock(item.Family) || IsShiftByCl(in item)
        || (item.Family is Family.Shift or Family.MultiplyWide && item.Instruction.Op0Kind == OpKind.Register && IsHighByte(item.Instruction.Op0Register));

    public static bool IsShiftByCl(in Item item) => item.Family is Family.Shift or Family.DoubleShift or Family.Rotate
        && item.Instruction.GetOpKind(item.Instruction.OpCount - 1) == OpKind.Register;

    /// <summary>General registers that an instruction writes, by number.</summary>
    public static uint WrittenRegisters(in Item item)
    {
        uint written = item.Descriptor.ImplicitWrites;
        for (int i = 0; i < item.Instruction.OpCount; i++)
        {
            if ((item.Descriptor.Writes & (1 << i)) != 0 && item.Instruction.GetOpKind(i) == OpKind.Register)
            {
                int number = GeneralNumber(item.Instruction.GetOpRegister(i));
                written |= number >= 0 ? 1u << number : 0;
            }
        }

        return written;
    }

    /// <summary>Number of the general register that a register is or is part of; -1 for others.</summary>
    public static int GeneralNumber(Register register) => register.IsGPR() ? register.GetFullRegister() - Register.RAX : -1;

    public static bool IsHighByte(Register register) => register is Register.AH or Register.CH or Register.DH or Register.BH;

    private bool TryDecode(byte* page, int offset, int key, out Item item)
    {
        item = default;
        int mode = key & TranslationKey.ModeMask;
        Decoder decoder = _decoders[mode];
        _reader.Open(page, offset);
        decoder.IP = (ulong)offset;
        decoder.Decode(out item.Instruction);
        if (_reader.Failed)
        {
            return false;
        }

        item.Offset = offset;
        item.Length = item.Instruction.Length;
        item.Descriptor = CodeDescriptor.Of(in item.Instruction);
        item.Family = item.Instruction.Code == Code.INVALID || !_supported[(int)item.Instruction.Code] ? Family.Exit : item.Descriptor.Family;
        Classify(ref item, key);
        return true;
    }

    // Hands to the interpreter what the emitters cannot express, and tells the effect on flags.
    private static void Classify(ref Item item, int key)
    {
        ref Instruction instruction = ref item.Instruction;
        if (item.Family is not (Family.Exit or Family.CallOut) && !Expressible(ref item, key))
        {
            item.Family = item.Family == Family.Branch || EndsBlock(item.Family) ? Family.Exit : Family.CallOut;
        }

        if (item.Family is Family.Exit or Family.CallOut)
        {
            item.MemorySize = 0;
            item.Effect = FlagEffect.Settled;
            return;
        }

        item.Effect = item.Family switch
        {
            Family.Alu or Family.AluCarry or Family.Negate or Family.Imul or Family.MultiplyWide or Family.SourceFlags or Family.ResultFlags or Family.ExactFlags => FlagEffect.Full,
            Family.Shift or Family.DoubleShift => IsShiftByCl(in item) ? FlagEffect.Partial : FlagEffect.Full,
            Family.Increment or Family.Rotate or Family.BitTest or Family.PartialFlags => FlagEffect.Partial,
            _ => FlagEffect.None,
        };
    }

    private static bool Expressible(ref Item item, int key)
    {
        ref Instruction instruction = ref item.Instruction;
        CodeDescriptor descriptor = item.Descriptor;
        bool is64 = (key & TranslationKey.ModeMask) == (int)CodeMode.Bits64;
        if (descriptor.IsSimd && (key & (descriptor.IsVex ? TranslationKey.Avx : TranslationKey.Sse)) == 0)
        {
            return false;
        }

        if (item.Family == Family.Repeat)
        {
            return is64 && IsPlainRepeat(in instruction);
        }

        if (descriptor.IsVex && !is64 && (key & TranslationKey.Avx) == 0)
        {
            // Real and virtual-8086 mode know no VEX prefix; the key does not tell those modes.
            return false;
        }

        if (instruction.Mnemonic == Mnemonic.Vzeroupper && !is64)
        {
            // Outside of 64-bit mode it leaves YMM8 to YMM15 alone.
            return false;
        }

        int inMemory = 0;
        bool high = false;
        bool needsRex = false;
        uint seen = 0;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            switch (instruction.GetOpKind(i))
            {
                case OpKind.Register:
                    Register register = instruction.GetOpRegister(i);
                    int number = GeneralNumber(register);
                    if (number < 0)
                    {
                        if (item.Family is not (Family.Selector or Family.FaultAddress) && !register.IsXMM() && !register.IsYMM())
                        {
                            return false;
                        }

                        break;
                    }

                    high |= IsHighByte(register);
                    needsRex |= !IsHighByte(register) && (number is 4 or >= 8 || (register.GetSize() == 1 && number >= 4));
                    if (HostRegister.Of(number) == HostRegister.None && (seen & (1u << number)) == 0)
                    {
                        inMemory++;
                    }

                    seen |= 1u << number;
                    break;
                case OpKind.Memory:
                    if (instruction.MemoryIndex != Register.None && instruction.MemoryIndex.IsVectorRegister())
                    {
                        return false;
                    }

                    if (item.Family is Family.Lea or Family.Nothing)
                    {
                        break;
                    }

                    item.MemorySize = instruction.MemorySize.GetSize();
                    item.StoresMemory = (descriptor.Writes & (1 << i)) != 0;
                    if (item.MemorySize is <= 0 or > 32)
                    {
                        return false;
                    }

                    break;
                case OpKind.MemorySegSI or OpKind.MemorySegESI or OpKind.MemorySegRSI or OpKind.MemorySegDI or OpKind.MemorySegEDI or OpKind.MemorySegRDI
                    or OpKind.MemoryESDI or OpKind.MemoryESEDI or OpKind.MemoryESRDI or OpKind.FarBranch16 or OpKind.FarBranch32:
                    return false;
                default:
                    break;
            }
        }

        bool memory = item.HasMemory;
        if (inMemory > (memory ? 1 : 2) || (high && (needsRex || memory)))
        {
            return false;
        }

        if (item.Family is Family.Push or Family.Pop or Family.Leave or Family.Call or Family.Return)
        {
            return StackExpressible(ref item, key, is64);
        }

        if (item.Family is Family.Jump or Family.Branch)
        {
            return BranchExpressible(ref instruction, key, is64);
        }

        return item.Family switch
        {
            Family.Shift => CountOf(in item) != 0,
            Family.Rotate => CountOf(in item) != 0 && (item.Width >= 4 || CountOf(in item) is > 0 and < 8),
            Family.SystemFlag or Family.SystemCall or Family.SystemReturn when instruction.HasLockPrefix => false,
            Family.SystemFlag => instruction.Mnemonic is Mnemonic.Cld or Mnemonic.Std || IsPrivileged(key),
            Family.SegmentBase => is64,
            Family.FaultAddress => is64 && IsPrivileged(key) && instruction.Op1Register == Register.CR2 && !instruction.HasLockPrefix,
            Family.SwapGs => is64 && IsPrivileged(key),
            Family.SystemCall => is64 && !IsPrivileged(key),
            Family.SystemReturn => is64 && IsPrivileged(key),
            Family.DoubleShift => item.Width >= 4 && CountOf(in item) != 0,
            Family.BitTest => !memory || instruction.Op1Kind != OpKind.Register || (is64 && item.Width >= 4 && HasLongAddress(in instruction)),
            Family.Divide => item.Width >= 4,
            Family.Plain => descriptor.HasModRm || descriptor.Places.Length == 0 || !memory || IsOffsetMove(instruction.Code) || descriptor.Places[0] == OperandPlace.Opcode,
            _ => true,
        };
    }

    // With a count, 64-bit addresses, and no segment base.
    private static bool IsPlainRepeat(in Instruction instruction) =>
        (instruction.HasRepPrefix || instruction.HasRepnePrefix) && instruction.SegmentPrefix is not (Register.FS or Register.GS)
        && instruction.Op0Kind == OpKind.MemoryESRDI && instruction.Op1Kind is OpKind.Register or OpKind.MemorySegRSI;

    // Sums of these are not cut.
    private static bool HasLongAddress(in Instruction instruction) => instruction.MemoryBase == Register.None
        ? instruction.MemoryIndex != Register.None && instruction.MemoryIndex.GetSize() == 8
        : instruction.MemoryBase.GetSize() == 8;

    // Protected mode at CPL 0, where CLI and STI cannot be refused. (16-bit code may be of any mode.)
    private static bool IsPrivileged(int key) =>
        (key & TranslationKey.User) == 0 && (key & TranslationKey.ModeMask) is (int)CodeMode.Bits64 or (int)CodeMode.Bits32;

    /// <summary>MOV of the accumulator from or to an absolute address.</summary>
    public static bool IsOffsetMove(Code code) => code is >= Code.Mov_AL_moffs8 and <= Code.Mov_moffs64_RAX;

    /// <summary>The masked count of a shift by an immediate; -1 where CL holds it.</summary>
    public static int CountOf(in Item item)
    {
        int last = item.Instruction.OpCount - 1;
        if (item.Instruction.GetOpKind(last) == OpKind.Register)
        {
            return -1;
        }

        return (int)item.Instruction.GetImmediate(last) & (item.Width == 8 ? 63 : 31);
    }

    private static bool StackExpressible(ref Item item, int key, bool is64)
    {
        ref Instruction instruction = ref item.Instruction;
        if (!is64 && ((key & TranslationKey.ModeMask) != (int)CodeMode.Bits32 || (key & (TranslationKey.FlatSegments | TranslationKey.BigStack)) != (TranslationKey.FlatSegments | TranslationKey.BigStack)))
        {
            return false;
        }

        int natural = is64 ? 8 : 4;
        return item.Family switch
        {
            Family.Push => instruction.StackPointerIncrement == -natural,
            Family.Pop => instruction.StackPointerIncrement == natural && instruction.Op0Kind == OpKind.Register,
            Family.Leave => instruction.Code == (is64 ? Code.Leaveq : Code.Leaved),
            Family.Return => instruction.Code == (is64 ? Code.Retnq : Code.Retnd) || instruction.Code == (is64 ? Code.Retnq_imm16 : Code.Retnd_imm16),
            _ => instruction.Code == (is64 ? Code.Call_rel32_64 : Code.Call_rel32_32) || instruction.Code == (is64 ? Code.Call_rm64 : Code.Call_rm32),
        };
    }

    private static bool BranchExpressible(ref Instruction instruction, int key, bool is64)
    {
        int mode = key & TranslationKey.ModeMask;
        switch (instruction.Op0Kind)
        {
            case OpKind.NearBranch64:
                return is64 && (long)instruction.NearBranch64 == (int)instruction.NearBranch64;
            case OpKind.NearBranch32:
                return mode == (int)CodeMode.Bits32;
            case OpKind.NearBranch16:
                return mode == (int)CodeMode.Bits16;
            default:
                return instruction.Code == (is64 ? Code.Jmp_rm64 : Code.Jmp_rm32) && (is64 || (key & TranslationKey.FlatSegments) != 0);
        }
    }

    /// <summary>Feeds the decoder from one page and no further.</summary>
    private sealed class PageCodeReader : CodeReader
    {
        private byte* _page;
        private int _position;

        public bool Failed { get; private set; }

        /// <summary>Where reading ends.</summary>
        public int End { get; set; } = 4096;

        public void Open(byte* page, int offset)
        {
            _page = page;
            _position = offset;
            Failed = false;
        }

        public override int ReadByte()
        {
            if (_position >= End)
            {
                Failed = true;
                return -1;
            }

            return _page[_position++];
        }
    }
}

/// <summary>What code does to status flags before it sets them all.</summary>
/// <param name="Target">Where in the page it stands.</param>
/// <param name="Live">Flags that it reads.</param>
/// <param name="Modified">General registers that it may have written when somebody asks for the flags from before.</param>
internal readonly record struct FlagProspect(ulong Target, uint Live, uint Modified);
