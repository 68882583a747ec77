using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Instructions.Privileged;
using VirtShell.Cpu.Instructions.X87;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Cpu.Decoding;

/// <summary>Decodes basic blocks into the code cache. Addresses in a block are relative to its page, so that a block serves wherever the page is mapped.</summary>
[NotState("Scratch while a block is decoded.")]
internal sealed unsafe class BlockBuilder
{
    /// <summary>Instructions in a block at most.</summary>
    public const int MaxInstructions = 48;

    private readonly CpuState* _s;
    private readonly PhysicalMemory _memory;
    private readonly Mmu _mmu;
    private readonly CodeCache _cache;
    private readonly bool[] _supported;
    private readonly PageReader _reader;
    private readonly Decoder _decoder16;
    private readonly Decoder _decoder32;
    private readonly Decoder _decoder64;

    public BlockBuilder(CpuState* state, PhysicalMemory memory, Mmu mmu, CodeCache cache, bool[] supported, DecoderOptions options)
    {
        _s = state;
        _memory = memory;
        _mmu = mmu;
        _cache = cache;
        _supported = supported;
        _reader = new PageReader(this);
        _decoder16 = Decoder.Create(16, _reader, options);
        _decoder32 = Decoder.Create(32, _reader, options);
        _decoder64 = Decoder.Create(64, _reader, options);
    }

    /// <summary>
    /// Decodes the block at a linear address whose page was translated to <paramref name="physical"/>, and enters it in the
    /// cache. Null: the first instruction cannot be fetched, and the fault stands in the vCPU.
    /// </summary>
    public Op* Build(ulong linear, ulong physical, CodeMode mode)
    {
        Op* first = _cache.BeginBlock();
        CodePage* page = _cache.GetPage(physical & ~0xFFFUL, mode);
        int start = (int)(linear & 0xFFF);
        Decoder decoder = mode switch
        {
            CodeMode.Bits64 => _decoder64,
            CodeMode.Bits16 => _decoder16,
            _ => _decoder32,
        };
        _reader.Open(physical & ~0xFFFUL, linear & ~0xFFFUL, start);
        int offset = start;
        int instructions = 0;
        Op* op = first;
        ulong secondPage = 0;
        ulong cr2 = _s->Cr2;
        while (true)
        {
            decoder.IP = (ulong)offset;
            _reader.Position = offset;
            _reader.FetchFailed = false;

            // Looking ahead must not touch another page: only an instruction that begins its block may, as it is executed.
            _reader.MayCross = instructions == 0;
            decoder.Decode(out Instruction instruction);
            if (_reader.FetchFailed)
            {
                if (instructions == 0)
                {
                    return null;
                }

                // The fault belongs to the next instruction, if execution gets there.
                CpuState.Of(_s).ClearFault();
                _s->Cr2 = cr2;
                break;
            }

            int end = offset + instruction.Length;
            if (end > 4096)
            {
                if (instructions > 0)
                {
                    break;
                }

                // Alone in its block, behind a check that the second page is still the same.
                secondPage = _reader.SecondPage;
                *op = default;
                op->Handler = &Flow.CheckSecondPage;
                op->Imm = secondPage;
                op->PageOffset = (ushort)offset;
                op++;
            }

            Fill(op, in instruction, physical & ~0xFFFUL, offset, mode);
            op++;
            offset = end;
            instructions++;
            if (EndsBlock(in instruction))
            {
                break;
            }

            if (offset >= 4096 || instructions == MaxInstructions)
            {
                break;
            }
        }

        // Every block ends with this, also one whose last instruction branches: handlers that do not leave fall into it.
        *op = default;
        op->Handler = &Flow.BlockEnd;
        op->PageOffset = (ushort)offset;
        op++;

        int count = (int)(op - first);
        int left = instructions;
        for (int i = 0; i < count; i++)
        {
            first[i].Remaining = (ushort)left;
            bool pseudo = first[i].Length == 0;
            left -= pseudo ? 0 : 1;
        }

        _cache.EndBlock(physical & ~0xFFFUL, page, start, Math.Max(offset, start + 1), count, secondPage);
        return first;
    }

    /// <summary>Decodes <paramref name="count"/> instructions that lie in one page, and an end of block behind them, into operations outside of the code cache. <paramref name="charged"/> more instructions are charged to the budget with them.</summary>
    public void BuildRun(Op* first, ulong physicalPage, int offset, int count, int charged, CodeMode mode)
    {
        Decoder decoder = mode switch
        {
            CodeMode.Bits64 => _decoder64,
            CodeMode.Bits16 => _decoder16,
            _ => _decoder32,
        };
        _reader.Open(physicalPage, 0, offset);
        _reader.MayCross = false;
        for (int i = 0; i < count; i++)
        {
            decoder.IP = (ulong)offset;
            _reader.Position = offset;
            decoder.Decode(out Instruction instruction);
            Fill(first + i, in instruction, physicalPage, offset, mode);
            first[i].Remaining = (ushort)(count - i + charged);
            offset += instruction.Length;
        }

        first[count] = default;
        first[count].Handler = &Flow.BlockEnd;
        first[count].PageOffset = (ushort)offset;
        first[count].Remaining = (ushort)charged;
    }

    private static bool EndsBlock(in Instruction instruction) =>
        instruction.FlowControl != FlowControl.Next || instruction.Code is Code.Hlt or Code.Mov_cr_r32 or Code.Mov_cr_r64
            or Code.Vmcall or Code.Wrmsr or Code.Mov_dr_r32 or Code.Mov_dr_r64 or Code.Lmsw_rm16 or Code.Lmsw_r32m16 or Code.Lmsw_r64m16 or Code.Invlpg_m or Code.INVALID;

    private void Fill(Op* op, in Instruction instruction, ulong physicalPage, int offset, CodeMode mode)
    {
        *op = default;
        Code code = instruction.Code;
        op->Code = (ushort)code;
        op->PageOffset = (ushort)offset;
        op->Length = (byte)instruction.Length;
        op->Base = Registers.Zero;
        op->Index = Registers.Zero;
        op->Segment = mode == CodeMode.Bits64 ? (byte)SegmentIndex.Flat : (byte)SegmentIndex.Ds;
        OpFlags flags = mode switch { CodeMode.Bits64 => OpFlags.Code64, CodeMode.Bits16 => OpFlags.Code16, _ => OpFlags.None };
        flags |= instruction.HasRepPrefix ? OpFlags.Rep : 0;
        flags |= instruction.HasRepnePrefix ? OpFlags.RepNe : 0;
        flags |= instruction.HasLockPrefix ? OpFlags.Lock : 0;
        op->OperandSize = OperandSizes.Of(code, mode);
        op->AddressShift = OperandSizes.AddressShiftOf(code, mode);
        if (code == Code.INVALID)
        {
            op->Handler = instruction.Length >= 15 ? &HandlerTable.TooLong : &HandlerTable.Undefined;
            return;
        }

        if (code == Code.Vmcall && physicalPage is >= Vcpu.FirmwareStart and < Vcpu.FirmwareEnd)
        {
            op->Imm = physicalPage + (ulong)offset;
            op->Flags = flags;
            op->Handler = &FirmwareHandlers.Call;
            return;
        }

        bool memory = false;
        bool immediateSeen = false;
        int operands = instruction.OpCount;
        for (int i = 0; i < operands; i++)
        {
            switch (instruction.GetOpKind(i))
            {
                case OpKind.Register:
                    ushort place = Registers.Place(instruction.GetOpRegister(i));
                    switch (i)
                    {
                        case 0:
                            op->Dst = place;
                            break;
                        case 1:
                            op->Src = place;
                            break;
                        case 2:
                            op->Src2 = place;
                            break;
                        default:
                            op->Extra = place;
                            break;
                    }

                    break;
                case OpKind.NearBranch16:
                    op->Imm = (ulong)(short)instruction.NearBranch16;
                    break;
                case OpKind.NearBranch32:
                    op->Imm = (ulong)(int)instruction.NearBranch32;
                    break;
                case OpKind.NearBranch64:
                    op->Imm = instruction.NearBranch64;
                    break;
                case OpKind.FarBranch16:
                    op->Imm = instruction.FarBranch16;
                    op->Extra = instruction.FarBranchSelector;
                    break;
                case OpKind.FarBranch32:
                    op->Imm = instruction.FarBranch32;
                    op->Extra = instruction.FarBranchSelector;
                    break;
                case OpKind.Memory:
                    memory = true;
                    FillMemory(op, in instruction, mode);
                    break;
                case OpKind.MemorySegSI or OpKind.MemorySegDI or OpKind.MemoryESDI:
                    FillString(op, in instruction, mode, 48);
                    break;
                case OpKind.MemorySegESI or OpKind.MemorySegEDI or OpKind.MemoryESEDI:
                    FillString(op, in instruction, mode, 32);
                    break;
                case OpKind.MemorySegRSI or OpKind.MemorySegRDI or OpKind.MemoryESRDI:
                    FillString(op, in instruction, mode, 0);
                    break;
                default:
                    ulong value = instruction.GetImmediate(i);
                    if (immediateSeen)
                    {
                        op->Extra = value;
                    }
                    else
                    {
                        op->Imm = value;
                        immediateSeen = true;
                    }

                    break;
            }
        }

        if (X87Opcodes.Contains(code))
        {
            // x87 instructions have no immediate; FOP records opcode and ModRM byte.
            op->Imm = _reader.X87Opcode(offset);
        }

        flags |= memory ? OpFlags.Memory : 0;
        if ((memory && instruction.MemorySegment == Register.SS) || (!memory && instruction.IsStackInstruction))
        {
            flags |= OpFlags.StackFault;
        }

        op->Flags = flags;
        bool flat = op->Segment == SegmentIndex.Flat && op->AddressShift == 0;
        op->Handler = _supported[(int)code] ? HandlerTable.Find(code, memory, flat) : &HandlerTable.Undefined;
    }

    private static void FillMemory(Op* op, in Instruction instruction, CodeMode mode)
    {
        Register baseRegister = instruction.MemoryBase;
        Register index = instruction.MemoryIndex;
        op->Segment = SegmentOf(instruction.MemorySegment, mode);
        op->Disp = (long)instruction.MemoryDisplacement64;
        op->Scale = instruction.MemoryIndexScale switch { 8 => 3, 4 => 2, 2 => 1, _ => 0 };
        if (index != Register.None)
        {
            op->Index = Registers.Place(index);
        }

        if (baseRegister is Register.RIP or Register.EIP)
        {
            // Iced gives the absolute target, and IP counts from the start of the page here.
            op->Base = Registers.RipBase;
            op->AddressShift = (byte)(baseRegister == Register.EIP ? 32 : 0);
            return;
        }

        if (baseRegister != Register.None)
        {
            op->Base = Registers.Place(baseRegister);
        }

        op->AddressShift = AddressShift(in instruction, mode, baseRegister != Register.None ? baseRegister : index);
    }

    private static byte AddressShift(in Instruction instruction, CodeMode mode, Register register)
    {
        if (register != Register.None && !register.IsVectorRegister())
        {
            return register.GetSize() switch { 2 => 48, 4 => 32, _ => 0 };
        }

        return instruction.MemoryDisplSize switch
        {
            8 => 0,
            4 => 32,
            2 => 48,
            _ => mode switch { CodeMode.Bits64 => 0, CodeMode.Bits16 => 48, _ => 32 },
        };
    }

    private static void FillString(Op* op, in Instruction instruction, CodeMode mode, byte shift)
    {
        op->AddressShift = shift;
        op->Segment = SegmentOf(instruction.MemorySegment, mode);
    }

    private static byte SegmentOf(Register segment, CodeMode mode)
    {
        if (mode == CodeMode.Bits64)
        {
            return segment switch
            {
                Register.FS => SegmentIndex.Fs64,
                Register.GS => SegmentIndex.Gs64,
                _ => SegmentIndex.Flat,
            };
        }

        return segment == Register.None ? (byte)SegmentIndex.Ds : (byte)Registers.Place(segment);
    }

    /// <summary>Feeds the decoder from one physical page and, when an instruction crosses, from the page mapped behind it.</summary>
    private sealed class PageReader(BlockBuilder owner) : CodeReader
    {
        private byte* _page;
        private byte* _second;
        private ulong _linearPage;

        /// <summary>Offset of the next byte, counted from the start of the first page.</summary>
        public int Position { get; set; }

        /// <summary>Whether a byte of the second page may be asked for.</summary>
        public bool MayCross { get; set; }

        /// <summary>A byte of the second page was needed and could not be translated, or may not be asked for.</summary>
        public bool FetchFailed { get; set; }

        /// <summary>Guest-physical address of the second page, once it was needed.</summary>
        public ulong SecondPage { get; private set; }

        public void Open(ulong physicalPage, ulong linearPage, int position)
        {
            _page = owner._memory.Base + physicalPage;
            _linearPage = linearPage;
            _second = null;
            Position = position;
            FetchFailed = false;
        }

        /// <summary>The x87 opcode as FOP has it (SDM vol. 1, 8.1.9) of the instruction that was read from an offset.</summary>
        public ushort X87Opcode(int offset)
        {
            while ((Peek(offset) & 0xF8) != X87Opcodes.Escape)
            {
                offset++;
            }

            return (ushort)(((Peek(offset) & 7) << 8) | Peek(offset + 1));
        }

        public override int ReadByte()
        {
            int at = Position++;
            if (at < 4096)
            {
                return _page[at];
            }

            if (!MayCross || (_second == null && !OpenSecond()))
            {
                FetchFailed = true;
                return -1;
            }

            return _second[at - 4096];
        }

        private byte Peek(int at) => at < 4096 ? _page[at] : _second[at - 4096];

        private bool OpenSecond()
        {
            ulong next = (_linearPage + 4096) & owner._s->LinearMask;
            if (!owner._mmu.TryTranslateFetch(next, out ulong physical))
            {
                return false;
            }

            if ((owner._memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) == 0)
            {
                return CpuState.Of(owner._s).SetFault(Vector.GeneralProtection, 0, true);
            }

            SecondPage = physical & ~0xFFFUL;
            _second = owner._memory.Base + SecondPage;
            return true;
        }
    }
}
