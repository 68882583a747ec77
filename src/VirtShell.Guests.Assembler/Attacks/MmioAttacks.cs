using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Device registers accessed in ways that no driver does.</summary>
internal static class MmioAttacks
{
    private const uint LocalApic = 0xFEE0_0000;
    private const uint IoApic = 0xFEC0_0000;
    private const uint Hole = 0xD000_0000;

    private static readonly uint[] s_places = [IoApic, LocalApic, Hole, 0xA_0000, 0xE_0000, AttackCode.Registers(AttackCode.RngSlot)];

    public static readonly Attack[] All =
    [
        new("mmio-sizes", "Reads of every size at every offset, across registers and pages too", AttackEnd.Never, Sizes),
        new("mmio-vectors", "Vector, x87 and state instructions whose operand is a device", AttackEnd.Never, Vectors),
        new("mmio-locked", "Locked and bit instructions on device registers", AttackEnd.Never, Locked),
        new("mmio-repeated", "Repeated moves from one device to another and into the hole", AttackEnd.Never, Repeated) { IsHeavy = true },
        new("mmio-execute", "Jumps into device registers, the hole, and ROM", AttackEnd.Never, Execute),
        new("mmio-stack", "A stack in device registers, with faults and interrupts on it", AttackEnd.Never, Stack),
        new("ioapic-storm", "Random redirection entries, and pins that are not there", AttackEnd.Never, IoApicStorm),
    ];

    private static void Sizes(AttackCode a)
    {
        var c = a.C;
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var place in s_places)
            {
                c.mov(ebx, place);
                c.mov(ecx, 0x1004);
                var next = a.Code.Here();
                c.mov(al, __byte_ptr[ebx]);
                c.mov(ax, __word_ptr[ebx]);
                c.mov(eax, __dword_ptr[ebx]);
                a.Fold();
                c.movq(mm0, __qword_ptr[ebx]);
                c.inc(ebx);
                c.dec(ecx);
                c.jne(next.Label);
            }
        });
    }

    private static void Vectors(AttackCode a)
    {
        var c = a.C;
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var place in s_places)
            {
                foreach (var offset in (ReadOnlySpan<uint>)[0x20, 0x21, 0xFF0, 0xFF8])
                {
                    var at = place + offset;
                    a.Guarded(() => c.movups(xmm0, __xmmword_ptr[at]));
                    a.Guarded(() => c.movups(__xmmword_ptr[at], xmm0));
                    a.Guarded(() => c.vmovups(ymm1, __ymmword_ptr[at]));
                    a.Guarded(() => c.vmovups(__ymmword_ptr[at], ymm1));
                    a.Guarded(() => c.fld(__tbyte_ptr[at]));
                    a.Guarded(() => c.fstp(__tbyte_ptr[at]));
                    a.Guarded(() => c.fxsave(__[at & ~15u]));
                    a.Guarded(() => c.fxrstor(__[at & ~15u]));
                    a.Guarded(() =>
                    {
                        c.mov(eax, -1);
                        c.mov(edx, -1);
                        c.xsave(__[at & ~63u]);
                    });
                    a.Guarded(() =>
                    {
                        c.mov(eax, -1);
                        c.mov(edx, -1);
                        c.xrstor(__[at & ~63u]);
                    });
                    a.Guarded(() => c.vpgatherdd(xmm2, __dword_ptr[(xmm0 * 1) + unchecked((int)at)], xmm1));
                    a.Guarded(() => c.vmaskmovps(__ymmword_ptr[at], ymm0, ymm1));
                }
            }
        });
    }

    private static void Locked(AttackCode a)
    {
        var c = a.C;
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var place in s_places)
            {
                foreach (var offset in (ReadOnlySpan<uint>)[0x80, 0x3D, 0xFFD])
                {
                    var at = place + offset;
                    a.Guarded(() => c.@lock.add(__dword_ptr[at], eax));
                    a.Guarded(() => c.@lock.cmpxchg8b(__qword_ptr[at]));
                    a.Guarded(() => c.xchg(__dword_ptr[at], eax));
                    a.Guarded(() => c.@lock.bts(__dword_ptr[at], edx));
                    a.Guarded(() => c.bt(__dword_ptr[at], edi));
                    a.Guarded(() => c.adc(__word_ptr[at], ax));
                    a.Guarded(() => c.shl(__dword_ptr[at], cl));
                }
            }
        });
    }

    private static void Repeated(AttackCode a)
    {
        var c = a.C;
        c.cld();
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var (from, to) in (ReadOnlySpan<(uint, uint)>)[(IoApic, Hole), (LocalApic, Hole), (Hole, AttackCode.Msix(AttackCode.RngSlot)), (AttackCode.Registers(AttackCode.RngSlot), Hole), (Hole, 0xE000_0000), (0xFFFF_F000, AttackLayout.Work)])
            {
                c.mov(esi, from);
                c.mov(edi, to);
                c.mov(ecx, 0x400);
                c.rep.movsd();
                c.mov(esi, from);
                c.mov(ecx, 0x1003);
                c.rep.lodsb();
                c.mov(edi, to);
                c.mov(eax, -1);
                c.mov(ecx, 0x1000);
                c.repe.scasb();
            }

            c.mov(edi, Hole);
            c.mov(ecx, 0x0400_0000);
            c.rep.stosd();
        });
    }

    private static void Execute(AttackCode a)
    {
        // Each byte of these fetches is undefined or faults soon: FFh in the hole, registers and zeros elsewhere. The 64 KiB
        // below 1 MiB are zeros and tables, so that way leads nowhere good; they are left alone.
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[Hole, Hole + 0xFFF, 0xA_0000, 0xFFFF_FFFE, IoApic + 0x20, LocalApic + 0x1000, AttackLayout.MemoryEnd * 8])
            {
                a.Guarded(() => a.CallTo(place));
            }
        });
    }

    private static void Stack(AttackCode a)
    {
        var c = a.C;
        a.StartDevice(AttackCode.RngSlot);
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[Hole + 0x1000, LocalApic + 0x400, IoApic + 0x14, AttackCode.Msix(AttackCode.RngSlot) + 0x20, 0xA_8000])
            {
                a.Guarded(() =>
                {
                    c.mov(esp, place);
                    c.push(eax);
                    c.pushad();
                    c.ud2();
                });
                a.Guarded(() =>
                {
                    c.mov(esp, place);
                    c.@int(0x80);
                    c.ud2();
                });
                a.Guarded(() =>
                {
                    c.mov(esp, place);
                    c.enter(0x20, 5);
                    c.popad();
                    c.int3();
                });
            }
        });
    }

    private static void IoApicStorm(AttackCode a)
    {
        a.C.sti();
        a.Forever(() =>
        {
            for (var register = 0u; register < 0x48; register++)
            {
                a.C.mov(__dword_ptr[IoApic], register);
                a.Random();

                // Neither INIT nor start-up: they end the machine.
                a.C.and(eax, unchecked((int)0xFFFF_F4FF));
                a.C.mov(__dword_ptr[IoApic + 0x10], eax);
                a.C.mov(eax, __dword_ptr[IoApic + 0x10]);
                a.Fold();
            }

            a.Out8(Hardware.PitCommand, 0x30);
            a.Out8(Hardware.PitChannel0, 1);
            a.Out8(Hardware.PitChannel0, 0);
        });
    }
}
