using System;
using Xunit;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Random code with random descriptor tables, task states and page tables: whatever the guest does, the host goes on.</summary>
public sealed unsafe class HostileGuestTests
{
    // Ten times as many in the long run of ./test --soak lockstep.
    private static readonly bool s_long = Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "lockstep";
    private static readonly int s_rounds = s_long ? 200 : 20;
    private const int Instructions = 3000;

    public static TheoryData<CpuModel, int, EngineKind> Cases
    {
        get
        {
            TheoryData<CpuModel, int, EngineKind> cases = [];
            foreach (CpuModel model in Enum.GetValues<CpuModel>())
            {
                foreach (int bits in new[] { 16, 32, 64 })
                {
                    if (bits != 64 || model >= CpuModel.Qemu64)
                    {
                        cases.Add(model, bits, EngineKind.Translator);
                        cases.Add(model, bits, EngineKind.Interpreter);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Random_code_never_escapes_the_processor(CpuModel model, int bits, EngineKind engine)
    {
        Random random = new(((int)model * 100) + bits);
        using SystemGuest guest = bits == 64 ? SystemGuest.Long(model, engine) : SystemGuest.Protected(model, engine);
        byte[] original = new byte[0x20_0000];
        guest.Memory.Read(0, original);
        byte[] initial = SavedState.Of(guest.Processor);
        for (int round = 0; round < s_rounds; round++)
        {
            // What lies behind the random code is memory full of zeros, which runs once from end to end: to translate all of it
            // takes nearly all of a round's time, so in the long run only every third one does.
            guest.Processor.TranslationThreshold = s_long && round % 3 != 0 ? 200 : 1;
            guest.Memory.Write(0, original);
            SavedState.Load(guest.Processor, initial);
            Disturb(guest, random, bits);
            long before = guest.Processor.InstructionsRetired;
            for (int i = 0; i < 4 && guest.State->IsShutdown == 0; i++)
            {
                guest.Bus.InterruptVector = random.Next(256);
                guest.Processor.SetInterruptRequest(random.Next(2) == 0);
                if (random.Next(4) == 0)
                {
                    guest.Processor.RaiseNmi();
                }

                guest.Processor.Run(Instructions);
                guest.State->Halted = 0;
            }

            Assert.InRange(guest.Processor.InstructionsRetired - before, 0, 4 * Instructions);
            byte[] end = SavedState.Of(guest.Processor);
            SavedState.Load(guest.Processor, end);
            Assert.Equal(end, SavedState.Of(guest.Processor));
        }
    }

    private static void Disturb(SystemGuest guest, Random random, int bits)
    {
        byte[] code = new byte[0x1000];
        random.NextBytes(code);
        // Every other byte pair is a system or far instruction, so that they come up often.
        byte[][] rare =
        [
            [0x0F, 0x00], [0x0F, 0x01], [0x0F, 0x20], [0x0F, 0x22], [0x0F, 0x23], [0x0F, 0x02], [0x0F, 0x03], [0x0F, 0x30], [0x0F, 0x32],
            [0xCF], [0xCB], [0xEA], [0x9A], [0xCD], [0x8E], [0x8C], [0x07], [0x17], [0x1F], [0xFF], [0x0F, 0x05], [0x0F, 0x34], [0x0F, 0x35],
            [0xC5], [0xC4], [0x0F, 0xB2], [0xF1], [0xCC], [0xCE], [0x9D], [0xFB], [0x0F, 0xAE], [0x0F, 0xC7], [0x63], [0xC8], [0x62], [0x66, 0xCF],
        ];
        for (int i = 0; i < 600; i++)
        {
            rare[random.Next(rare.Length)].CopyTo(code, random.Next(code.Length - 4));
        }

        guest.Memory.Write(SystemGuest.Code, code);
        random.NextBytes(code);
        guest.Memory.Write(SystemGuest.UserCode, code);
        foreach (ulong area in new[] { SystemGuest.Gdt, SystemGuest.Idt, SystemGuest.TssAddress, SystemGuest.Tables, SystemGuest.Tables + 0x1000 })
        {
            for (int i = random.Next(12); i > 0; i--)
            {
                guest.Memory.Write(area + (ulong)random.Next(0x100), [(byte)random.Next(256)]);
            }
        }

        for (int i = 0; i < 16; i++)
        {
            guest.State->Gpr[i] = random.Next(4) switch
            {
                0 => (ulong)random.Next(0x80),
                1 => (ulong)random.Next(0x40_0000),
                2 => (ulong)random.NextInt64(),
                _ => uint.MaxValue - (ulong)random.Next(16),
            };
        }

        guest.State->Gpr[4] = SystemGuest.BootStack + (ulong)random.Next(16);
        guest.State->Cr4 ^= (ulong)random.NextInt64() & CpuFeatures.Cr4Bits(guest.Processor.Model) & ~(bits == 64 ? ControlBits.Cr4Pae | ControlBits.Cr4Pcide : ControlBits.Cr4Pcide);
        guest.State->Dr[7] = random.Next(3) == 0 ? (ulong)random.Next() : 0x400;
        guest.State->Dr[0] = SystemGuest.Code + (ulong)random.Next(256);
        guest.State->FlagsRest = (guest.State->FlagsRest ^ (uint)random.Next()) & Flags.Defined & ~Flags.Status & ~Flags.Virtual8086 | Flags.Fixed;
        if (bits == 16)
        {
            guest.State->Cr0 &= ~ControlBits.Cr0Protection;
            for (int i = 0; i < 6; i++)
            {
                guest.Processor.SetRealSegment(i, (ushort)random.Next(0x2000));
            }

            guest.Processor.SetSegment(SegmentIndex.Cs, (ushort)(SystemGuest.Code >> 4), SystemGuest.Code, 0xFFFF, 0x93);
            guest.State->IdtBase = 0;
        }

        guest.State->Rip = (bits == 16 ? 0 : SystemGuest.Code) + (ulong)random.Next(64);
        guest.Processor.DropCaches();
        guest.Processor.UpdateBreakpoints();
    }
}
