using System;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>REP MOVS over pages, forward and backward, apart and overlapping: what it leaves is what one element after the other leaves (SDM Vol. 2, MOVS).</summary>
public sealed unsafe class RepeatedCopyTests
{
    private const int Area = 0x6000;
    private const ulong Base = 0x2_0000;

    public static TheoryData<EngineKind, int, bool> Cases
    {
        get
        {
            TheoryData<EngineKind, int, bool> cases = [];
            foreach (EngineKind engine in (EngineKind[])[EngineKind.Interpreter, EngineKind.Translator])
            {
                foreach (int size in (int[])[1, 2, 4, 8])
                {
                    cases.Add(engine, size, false);
                    cases.Add(engine, size, true);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Leaves_what_element_after_element_leaves(EngineKind engine, int size, bool backward)
    {
        Random random = new((size * 2) + (backward ? 1 : 0));
        for (int round = 0; round < 60; round++)
        {
            byte[] memory = new byte[Area];
            random.NextBytes(memory);
            int count = random.Next(round % 3 == 0 ? 12 : 1100);
            int room = Area - (count * size);
            int from = random.Next(room);
            int to = round % 2 == 0 ? random.Next(room) : Math.Clamp(from + random.Next(-40, 40), 0, room - 1);
            int first = backward ? Math.Max(count - 1, 0) * size : 0;
            using SystemGuest guest = SystemGuest.Long(engine: engine);
            guest.Memory.Write(Base, memory);
            Assert.Equal(-1, guest.Run(c =>
            {
                c.mov(rsi, Base + (ulong)(from + first));
                c.mov(rdi, Base + (ulong)(to + first));
                c.mov(ecx, count);
                if (backward)
                {
                    c.std();
                }

                Copy(c, size);
                c.hlt();
            }));

            int step = backward ? -size : size;
            for (int i = 0; i < count; i++)
            {
                memory.AsSpan(from + first + (i * step), size).ToArray().CopyTo(memory, to + first + (i * step));
            }

            byte[] left = new byte[Area];
            guest.Memory.Read(Base, left);
            Assert.True(memory.AsSpan().SequenceEqual(left), $"{count} elements of {size} bytes from {from:x} to {to:x}: differs at {memory.AsSpan().CommonPrefixLength(left):x}.");
            Assert.Equal(Base + (ulong)(from + first + (count * step)), guest.State->Gpr[6]);
            Assert.Equal(Base + (ulong)(to + first + (count * step)), guest.State->Gpr[7]);
            Assert.Equal(0UL, guest.State->Gpr[1]);
        }
    }

    private static void Copy(Assembler c, int size)
    {
        switch (size)
        {
            case 1:
                c.rep.movsb();
                break;
            case 2:
                c.rep.movsw();
                break;
            case 4:
                c.rep.movsd();
                break;
            default:
                c.rep.movsq();
                break;
        }
    }
}
