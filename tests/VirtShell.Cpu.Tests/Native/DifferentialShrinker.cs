using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Makes a failing case small: the simplest form of its instruction, then as few set bits of registers, flags and memory as still fail.</summary>
internal static unsafe class DifferentialShrinker
{
    /// <summary>Bit tests may point anywhere in the window, so a value may grow simpler only by losing bits.</summary>
    public static DifferentialCase Shrink(DifferentialCase test, Func<DifferentialCase, bool> fails)
    {
        DifferentialCase best = test;
        while (true)
        {
            string before = best.ToString();
            best = Simplest(best, fails);
            best = Fewest(best, fails);
            if (best.ToString() == before)
            {
                return best;
            }
        }
    }

    /// <summary>Fewer prefixes, plainer operands, lower registers, smaller immediates.</summary>
    private static DifferentialCase Simplest(DifferentialCase test, Func<DifferentialCase, bool> fails)
    {
        bool again = true;
        while (again)
        {
            again = false;
            foreach (Instruction simpler in Simpler(test.Instruction))
            {
                if (Moved(test, simpler).FirstOrDefault(c => c.Bytes.Length <= test.Bytes.Length && Simplicity(c) < Simplicity(test) && fails(c)) is DifferentialCase found)
                {
                    test = found;
                    again = true;
                    break;
                }
            }
        }

        return test;
    }

    private static ulong Simplicity(DifferentialCase test)
    {
        Instruction i = test.Instruction;
        ulong rank = (i.MemoryDisplacement64 & 0xFFFF) + (i.MemoryIndex != Register.None ? 0x1_0000UL * (ulong)i.MemoryIndexScale : 0);
        for (int o = 0; o < i.OpCount; o++)
        {
            rank += i.GetOpKind(o) == OpKind.Register ? (ulong)i.GetOpRegister(o).GetNumber() << 24 : 0;
            rank += IsImmediate(i.GetOpKind(o)) ? ulong.PopCount(i.GetImmediate(o)) << 34 : 0;
        }

        return ((ulong)test.Bytes.Length << 48) + rank;
    }

    private static IEnumerable<Instruction> Simpler(Instruction from)
    {
        Instruction next = from;
        next.HasLockPrefix = false;
        next.HasRepPrefix = false;
        next.HasRepnePrefix = false;
        yield return next;
        if (from.MemoryBase != Register.None && !from.IsVsib)
        {
            next = from;
            next.MemoryBase = from.CodeSize == CodeSize.Code32 ? Register.EBX : Register.RBX;
            next.MemoryIndex = Register.None;
            next.MemoryIndexScale = 1;
            next.MemoryDisplacement64 = 0;
            next.MemoryDisplSize = 0;
            yield return next;
        }

        for (int o = 0; o < from.OpCount; o++)
        {
            OpKind kind = from.GetOpKind(o);
            if (kind == OpKind.Register)
            {
                Register register = from.GetOpRegister(o);
                int number = register.GetNumber();
                for (int lower = 0; lower < number; lower++)
                {
                    if (lower is 3 or 4 && register.GetFullRegister() is >= Register.RAX and <= Register.R15)
                    {
                        continue;
                    }

                    next = from;
                    next.SetOpRegister(o, register - (number - lower));
                    yield return next;
                }
            }
            else if (IsImmediate(kind))
            {
                ulong value = from.GetImmediate(o);
                foreach (ulong smaller in Enumerable.Range(0, 64).Select(b => value & ~(1UL << b)).Prepend(0UL).Where(v => v != value))
                {
                    next = from;
                    if (TrySet(ref next, o, smaller))
                    {
                        yield return next;
                    }
                }
            }
        }
    }

    // The registers of another form hold what those of the old one held, or what stands there already.
    private static IEnumerable<DifferentialCase> Moved(DifferentialCase test, Instruction next)
    {
        if (test.With(next) is not DifferentialCase plain)
        {
            yield break;
        }

        DifferentialCase moved = plain.Clone();
        Move(test, moved);
        yield return moved;
        yield return plain;
    }

    private static void Move(DifferentialCase from, DifferentialCase to)
    {
        for (int o = 0; o < from.Instruction.OpCount; o++)
        {
            if (from.Instruction.GetOpKind(o) == OpKind.Register && to.Instruction.GetOpKind(o) == OpKind.Register)
            {
                Register old = from.Instruction.GetOpRegister(o).GetFullRegister();
                Register now = to.Instruction.GetOpRegister(o).GetFullRegister();
                if (old.IsVectorRegister())
                {
                    for (int i = 0; i < 32; i++)
                    {
                        to.Image.Ymm[(now.GetNumber() * 32) + i] = from.Image.Ymm[(old.GetNumber() * 32) + i];
                    }
                }
                else if (old is >= Register.RAX and <= Register.R15)
                {
                    to.Image.Gpr[now - Register.RAX] = from.Image.Gpr[old - Register.RAX];
                }
                else if (old is >= Register.MM0 and <= Register.MM7)
                {
                    to.Image.Mm[now - Register.MM0] = from.Image.Mm[old - Register.MM0];
                }
            }
        }

        // The memory operand moves with its address.
        int distance = Offset(from) - Offset(to);
        if (distance > 0)
        {
            from.Window.AsSpan(distance).CopyTo(to.Window);
        }
    }

    private static int Offset(DifferentialCase test)
    {
        Instruction i = test.Instruction;
        ulong displacement = i.MemoryBase == Register.RIP ? i.MemoryDisplacement64 - DifferentialMemory.Operand : i.MemoryDisplacement64;
        ulong index = i.MemoryIndex == DifferentialForms.Index ? test.Image.Gpr[15] * (ulong)i.MemoryIndexScale : 0;
        return i.MemoryBase is Register.RBX or Register.EBX or Register.RIP ? (int)(displacement + index) : 0;
    }

    /// <summary>Clears what need not be set: whole quadwords first, then bit after bit.</summary>
    private static DifferentialCase Fewest(DifferentialCase test, Func<DifferentialCase, bool> fails)
    {
        DifferentialCase best = test;
        bool Try(DifferentialCase attempt)
        {
            if (!fails(attempt))
            {
                return false;
            }

            best = attempt;
            return true;
        }

        for (int place = 0; place < Places; place++)
        {
            ulong usual = Usual(place);
            if (Get(best, place) == usual || Try(Set(best, place, usual)) || place is 3 or 4)
            {
                continue;
            }

            for (int bit = 63; bit >= 0; bit--)
            {
                ulong value = Get(best, place);
                if (((value ^ usual) & (1UL << bit)) != 0)
                {
                    Try(Set(best, place, value ^ (1UL << bit)));
                }
            }
        }

        return best;
    }

    private const int FlagsPlace = 16;
    private const int MxcsrPlace = 17;
    private const int YmmPlace = 18;
    private const int MmPlace = YmmPlace + 64;
    private const int WindowPlace = MmPlace + 8;
    private const int Places = WindowPlace + (DifferentialMemory.WindowSize / 8);

    private static ulong Usual(int place) => place switch
    {
        3 => DifferentialMemory.Operand,
        4 => DifferentialMemory.Stack,
        FlagsPlace => DifferentialCase.DefaultFlags,
        MxcsrPlace => DifferentialCase.DefaultMxcsr,
        _ => 0,
    };

    private static ulong Get(DifferentialCase test, int place)
    {
        fixed (byte* ymm = test.Image.Ymm)
        {
            return place switch
            {
                < FlagsPlace => test.Image.Gpr[place],
                FlagsPlace => test.Image.Flags,
                MxcsrPlace => test.Image.Mxcsr,
                < MmPlace => ((ulong*)ymm)[place - YmmPlace],
                < WindowPlace => test.Image.Mm[place - MmPlace],
                _ => BitConverter.ToUInt64(test.Window, (place - WindowPlace) * 8),
            };
        }
    }

    private static DifferentialCase Set(DifferentialCase from, int place, ulong value)
    {
        DifferentialCase to = from.Clone();
        fixed (byte* ymm = to.Image.Ymm)
        {
            switch (place)
            {
                case < FlagsPlace:
                    to.Image.Gpr[place] = value;
                    break;
                case FlagsPlace:
                    to.Image.Flags = value;
                    break;
                case MxcsrPlace:
                    to.Image.Mxcsr = (uint)value;
                    break;
                case < MmPlace:
                    ((ulong*)ymm)[place - YmmPlace] = value;
                    break;
                case < WindowPlace:
                    to.Image.Mm[place - MmPlace] = value;
                    break;
                default:
                    BitConverter.TryWriteBytes(to.Window.AsSpan((place - WindowPlace) * 8), value);
                    break;
            }
        }

        return to;
    }

    private static bool IsImmediate(OpKind kind) => kind is >= OpKind.Immediate8 and <= OpKind.Immediate32to64;

    private static bool TrySet(ref Instruction instruction, int operand, ulong value)
    {
        try
        {
            instruction.SetImmediate(operand, value);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
