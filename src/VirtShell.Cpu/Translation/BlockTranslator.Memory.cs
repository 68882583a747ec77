using Iced.Intel;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>Memory operands: the linear address, then the soft TLB (SDM Vol. 2 §2.1.5; see <see cref="Memory.TlbEntry"/>).</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int TlbTagRead = 0;
    private const int TlbTagWrite = 8;
    private const int TlbPage = 16;

    /// <summary>Below this a displacement chooses in an object, above it an object.</summary>
    private const int SmallDisplacement = 2048;

    /// <summary>The site of accesses to the stack.</summary>
    private const long StackSite = ((long)Register.RSP << 16) | (long)Register.SS;

    private const int GuestRegisters = 16;

    /// <summary>
    /// Makes the memory operand addressable: at <see cref="EmitState.Operand"/> from the scratch register. Leaves the block where the TLB cannot
    /// serve it. Nothing of the instruction may have happened yet.
    /// </summary>
    private void EmitOperandAddress(in Item item, int index)
    {
        ref readonly WindowAccess access = ref _plan.OperandAccesses[index];
        bool mustAlign = item.Descriptor.IsAligned && item.MemorySize > 1;
        if (TryReach(in access, item.StoresMemory))
        {
            if (mustAlign)
            {
                BeforeClobber(in item);
                EmitCheckAligned(in item, index);
            }

            return;
        }

        BeforeClobber(in item);
        EmitLinear(in item, index, item.MemorySize, item.StoresMemory, _now.Operand);
        if (mustAlign)
        {
            EmitCheckAligned(in item, index);
        }

        Check(in item, index, item.MemorySize, item.StoresMemory, SiteOf(in item), in access);
    }

    /// <summary>The same for a stack operand, <paramref name="displacement"/> bytes from what a host register holds.</summary>
    private void EmitStackAddress(in Item item, int index, bool write, int @base, int displacement)
    {
        ref readonly WindowAccess access = ref _plan.StackAccesses[index];
        if (!TryReach(in access, write))
        {
            BeforeClobber(in item);
            displacement -= _now.Operand;
            StackLea(HostRegister.Scratch, @base, displacement);
            Check(in item, index, _plan.StackSize, write, StackSite, in access, onStack: true);
        }
    }

    // The host would fault where the guest must: what the scratch register is from, linear or host, has the same low bits.
    private void EmitCheckAligned(in Item item, int index)
    {
        int size = item.MemorySize;
        int register = HostRegister.Scratch;
        if (_now.Operand % size != 0)
        {
            register = HostRegister.Scratch2;
            uint points = _code.Touched & ScratchBit;
            _code.Lea(register, HostRegister.Scratch, _now.Operand);
            _code.Touched = (_code.Touched & ~ScratchBit) | points;
        }

        // test r9b, size - 1
        _code.Byte(0x41);
        _code.Byte(0xF6);
        _code.ModRegister(0, register);
        _code.Byte(size - 1);
        AddColdExit(_code.JumpIf(5), NewExit(ExitKind.Instruction, item.Offset, index));
    }

    /// <summary>
    /// Turns the linear address in the scratch register, where the access's window starts, into a host address: by the copy of a TLB entry
    /// that accesses from the same registers have left at their site, or by the entry itself.
    /// </summary>
    private void Check(in Item item, int index, int size, bool write, long site, in WindowAccess access, bool onStack = false)
    {
        int id = NewExit(ExitKind.Access, item.Offset, index);
        _exits[id].Size = (byte)size;
        _exits[id].Windows = KeptSlots(access.Ordinal);
        int place = _sites.PlaceOf(site);
        int tag = write ? TlbTagWrite : TlbTagRead;
        int span = _plan.SpanOf(in access);
        bool holds = Holds(place);
        bool copied = !holds && _plan.HasSites && (onStack || !_plan.IsScattered(in item.Instruction));
        byte* exact = null;
        byte* start = null;
        if (copied)
        {
            start = _code.At;
            _code.AluState(CodeWriter.Sub, HostRegister.Scratch, place + tag);
        }
        else
        {
            if (!holds)
            {
                exact = _code.At;
                FindEntry();
            }

            ScratchFromEntry(CodeWriter.Sub, tag);
        }

        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch, 4096 - span);
        ref ColdPart part = ref _cold.Add(copied ? ColdKind.SiteMiss : ColdKind.Miss, _code.JumpIf(7));
        part.Back = copied ? start : _code.At;
        part.Exact = exact;
        part.Span = span;
        part.Item = index;
        part.Id = id;
        part.Write = write;
        part.Place = place;
        part.Held = _now.Held >= 0 && _now.Held < GuestRegisters && Holds(_now.Held) ? _now.Held : -1;
        part.Operand = _now.Operand;
        part.Owed = _plan.Count - index + _now.Ahead;
        part.StackMoves = _now.StackMoves;
        part.Flags = _now.Flags;
        part.Partial = _now.Partial;
        if (copied)
        {
            _code.AluState(CodeWriter.Add, HostRegister.Scratch, place + TlbPage);
            _now.Held = part.Held;
        }
        else
        {
            ScratchFromEntry(CodeWriter.Add, TlbPage);
            Hold(place);
        }

        Open(in access, write);
    }

    // Has the site copy the entry of the page, which is filled where need be, and tries again.
    private void EmitSiteMiss(in ColdPart part)
    {
        _code.AluState(CodeWriter.Add, HostRegister.Scratch, part.Place + (part.Write ? TlbTagWrite : TlbTagRead));
        byte* again = _code.At;
        _code.MoveImmediate32(HostRegister.Scratch2, (part.Place - StateOffset.TlbSite(0)) | ((4096 - part.Span) << 16));
        _code.Call(part.Write ? _stubs.CopyForWrite : _stubs.CopyForRead);
        if (part.Held >= 0)
        {
            _code.LoadState(HostRegister.Scratch2, StateOffset.Gpr(part.Held));
        }

        CodeWriter.Patch(_code.JumpIf(4), part.Back);
        EmitFill(in part, again);
    }

    // The entry at hand was another page's: that of the page itself, then whatever it lacks.
    private void EmitMiss(in ColdPart part)
    {
        int tag = part.Write ? TlbTagWrite : TlbTagRead;
        ScratchFromEntry(CodeWriter.Add, tag);
        if (part.Exact != null)
        {
            EmitFill(in part, part.Exact);
            return;
        }

        byte* again = _code.At;
        FindEntry();
        ScratchFromEntry(CodeWriter.Sub, tag);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch, 4096 - part.Span);
        CodeWriter.Patch(_code.JumpIf(6), part.Back);
        ScratchFromEntry(CodeWriter.Add, tag);
        EmitFill(in part, again);
    }

    // The scratch register holds the linear address at which the window starts.
    private void EmitFill(in ColdPart part, byte* again)
    {
        byte* crosses = null;
        if (part.Span > _exits[part.Id].Size)
        {
            _code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
            _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, 0xFFF, wide: false);
            _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, 4096 - part.Span, wide: false);
            crosses = _code.JumpIf(7);
        }

        if (part.Operand != 0)
        {
            _code.Lea(HostRegister.Scratch, HostRegister.Scratch, part.Operand);
        }

        _code.StoreStateImmediate32(StateOffset.ExitId, part.Id);
        _code.Call(part.Write ? _stubs.MissWrite : _stubs.MissRead);
        if (part.Operand != 0)
        {
            _code.Lea(HostRegister.Scratch, HostRegister.Scratch, -part.Operand);
        }

        CodeWriter.Patch(_code.Jump(), again);
        if (crosses != null)
        {
            CodeWriter.Patch(crosses, _code.At);
            EmitStrict(in part);
        }
    }

    // Goes on at the instruction in a translation without windows.
    private void EmitStrict(in ColdPart part)
    {
        _now.Flags = part.Flags;
        _now.Partial = part.Partial;
        _now.InHost = false;
        EmitMoveStack();
        PassFlags(uint.MaxValue);
        _code.AluStateImmediate(CodeWriter.Add, StateOffset.Budget, part.Owed);
        int id = NewExit(ExitKind.Branch, _plan.Items[part.Item].Offset, _plan.Count);
        _exits[id].Key |= (byte)TranslationKey.Strict;
        byte* link = _code.Jump();
        _exits[id].Link = link;
        CodeWriter.Patch(link, _code.At);
        EmitLeaveTo(id);
    }

    // The entry of the address in the scratch register into the second one.
    private void FindEntry()
    {
        _code.RotateRight(HostRegister.Scratch2, HostRegister.Scratch, 7);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, (int)Mem.TlbMask << 5, wide: false);
        _code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.Tlb);
    }

    // An operation of the 80h group on the address and a field of the TLB entry.
    private void ScratchFromEntry(byte operation, int field)
    {
        _code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        _code.Byte((operation << 3) | 3);
        _code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2, field);
    }

    /// <summary>What accesses are likely to be in the same page: those from the same registers, with displacements that differ little.</summary>
    private static long SiteOf(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        long displacement = (long)instruction.MemoryDisplacement64;
        displacement = displacement is > -SmallDisplacement and < SmallDisplacement ? 0 : displacement >> 12;
        return (displacement << 24) | ((long)instruction.MemoryBase << 16) | ((long)instruction.MemoryIndex << 8) | (long)instruction.MemorySegment;
    }

    /// <summary>Linear address <paramref name="back"/> bytes before the memory operand into the scratch register, the segment's limit checked where it has one.</summary>
    private void EmitLinear(in Item item, int index, int size, bool write, int back)
    {
        EmitEffective(in item, HostRegister.Scratch, back: back);
        Register segment = item.Instruction.MemorySegment;
        if (_plan.Is64)
        {
            if (segment is Register.FS or Register.GS)
            {
                _code.AluState(CodeWriter.Add, HostRegister.Scratch, StateOffset.SegmentBase(segment == Register.FS ? SegmentIndex.Fs64 : SegmentIndex.Gs64));
            }

            return;
        }

        if (_plan.IsFlat(segment))
        {
            return;
        }

        int number = segment - Register.ES;
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch, size);
        _code.AluState(CodeWriter.Cmp, HostRegister.Scratch2, write ? StateOffset.SegmentWriteEnd(number) : StateOffset.SegmentReadEnd(number));
        AddColdExit(_code.JumpIf(7), NewExit(ExitKind.Instruction, item.Offset, index));
        _code.AluState(CodeWriter.Add, HostRegister.Scratch, StateOffset.SegmentBase(number));
        _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
    }

    /// <summary>Effective address (offset in the segment) into a register, or one <paramref name="back"/> bytes before it, cut to the address size.</summary>
    private void EmitEffective(in Item item, int to, bool narrow = false, int back = 0)
    {
        ref readonly Instruction instruction = ref item.Instruction;

        // What is cut to 32 bits afterwards may be summed in 32 bits.
        int bits = narrow ? 32 : _plan.AddressBits(in instruction);
        Register @base = instruction.MemoryBase;
        long displacement = _plan.DisplacementOf(in instruction) - back + (@base is Register.RSP or Register.ESP ? _now.StackMoves : 0);
        if (@base is Register.RIP or Register.EIP)
        {
            _code.LoadState(to, StateOffset.RipBase);
            AddDisplacement(to, displacement);
            if (bits == 32)
            {
                _code.Move32(to, to);
            }

            return;
        }

        // The base makes way where the index must pass through the second scratch register.
        bool apart = instruction.MemoryIndex != Register.None && InMemory(instruction.MemoryIndex) && !Holds(instruction.MemoryIndex.GetNumber());

        // The scratch register may point to a window: it is left alone where the result's own will do.
        bool keeps = to != HostRegister.Scratch && (instruction.MemoryIndex == Register.None || !(InMemory(instruction.MemoryIndex) || HostRegister.Of(instruction.MemoryIndex.GetNumber()) == to));
        int baseRegister = GuestOperand(@base, keeps ? to : HostRegister.Scratch);
        if (apart && baseRegister == HostRegister.Scratch2)
        {
            _code.Move(HostRegister.Scratch, HostRegister.Scratch2);
            baseRegister = HostRegister.Scratch;
        }

        int index = GuestOperand(instruction.MemoryIndex, HostRegister.Scratch2);
        int scale = instruction.MemoryIndexScale switch { 8 => 3, 4 => 2, 2 => 1, _ => 0 };
        if (displacement != (int)displacement)
        {
            // A 64-bit absolute address, or a 32-bit one above 2 GiB.
            displacement = bits == 64 ? displacement : (int)displacement;
        }

        if (displacement != (int)displacement)
        {
            _code.Rex(true, 0, to);
            _code.Byte(0xB8 | (to & 7));
            _code.Qword((ulong)displacement);
            return;
        }

        if (baseRegister < 0 && index < 0)
        {
            // mov r, imm32, sign-extended or not as the address size says.
            _code.Rex(bits == 64, 0, to);
            _code.Byte(0xC7);
            _code.ModRegister(0, to);
            _code.Dword((int)displacement);
            if (bits == 16)
            {
                CutTo16(to);
            }

            return;
        }

        if (index < 0 && displacement == 0 && bits == 64)
        {
            if (baseRegister != to)
            {
                _code.Move(to, baseRegister);
            }

            return;
        }

        // 16-bit sums are made in 32 bits and cut.
        _code.RexIndexed(bits == 64, to, Math0(index), Math0(baseRegister));
        _code.Byte(0x8D);
        if (index < 0 && baseRegister >= 0)
        {
            _code.ModMemory(to, baseRegister, (int)displacement);
        }
        else
        {
            _code.ModIndexed(to, baseRegister, index, scale, (int)displacement);
        }

        if (bits == 16)
        {
            CutTo16(to);
        }
    }

    private static int Math0(int register) => register < 0 ? 0 : register;

    // movzx r32, r16
    private void CutTo16(int register)
    {
        _code.Rex(false, register, register);
        _code.Byte(0x0F);
        _code.Byte(0xB7);
        _code.ModRegister(register, register);
    }

    private void AddDisplacement(int register, long displacement)
    {
        if (displacement == (int)displacement)
        {
            _code.Lea(register, register, (int)displacement);
        }
        else
        {
            _code.Lea(register, register, displacement < 0 ? int.MinValue : int.MaxValue);
            _code.Lea(register, register, (int)(displacement - (displacement < 0 ? int.MinValue : int.MaxValue)));
        }
    }

    /// <summary>Host register that holds a guest register, loaded into <paramref name="spare"/> where it stays in memory; -1 for none.</summary>
    private int GuestOperand(Register register, int spare)
    {
        if (register == Register.None)
        {
            return -1;
        }

        int guest = register.GetNumber();
        int host = HostRegister.Of(guest);
        if (host != HostRegister.None)
        {
            return host;
        }

        if (Holds(guest))
        {
            return HostRegister.Scratch2;
        }

        LoadGuest(spare, guest);
        return spare;
    }

    /// <summary>Loads the memory operand, zero-extended, into a register.</summary>
    private void LoadOperand(int to, int size)
    {
        uint points = _code.Touched & ScratchBit;
        _code.Rex(size == 8, to, HostRegister.Scratch);
        if (size < 4)
        {
            _code.Byte(0x0F);
            _code.Byte(size == 1 ? 0xB6 : 0xB7);
        }
        else
        {
            _code.Byte(0x8B);
        }

        _code.ModMemory(to, HostRegister.Scratch, _now.Operand);
        if (to != HostRegister.Scratch)
        {
            _code.Touched = (_code.Touched & ~ScratchBit) | points;
        }
    }

    /// <summary>Keeps the memory operand for a flag thunk.</summary>
    private byte KeepOperand(int size, byte slot)
    {
        LoadOperand(HostRegister.Scratch2, size);
        _code.StoreState(StateOffset.Slot(slot - FlagPlace.Slot), HostRegister.Scratch2);
        return slot;
    }
}
