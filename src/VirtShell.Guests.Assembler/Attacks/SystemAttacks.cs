using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>System instructions and registers, each of them for ever.</summary>
internal static class SystemAttacks
{
    public static readonly Attack[] All =
    [
        new("cpuid-flood", "CPUID with every leaf, and with random ones", AttackEnd.Never, Cpuid),
        new("random-flood", "RDRAND and RDSEED", AttackEnd.Never, RandomNumbers),
        new("cache-flood", "WBINVD, INVD, CLFLUSH and prefetches", AttackEnd.Never, Caches),
        new("monitor-flood", "MONITOR, MWAIT and PAUSE", AttackEnd.Never, Monitor),
        new("counter-flood", "Time stamps and performance counters read and written", AttackEnd.Never, Counters),
        new("msr-read", "Every MSR number read", AttackEnd.Never, ReadMsrs),
        new("msr-write", "Random values written to every MSR number", AttackEnd.Any, WriteMsrs),
        new("msr-known", "Zeros, ones and random values in the MSRs that there are", AttackEnd.Any, KnownMsrs),
        new("memory-touch", "Every page of RAM written, again and again", AttackEnd.Never, Touch),
        new("memory-locked", "Locked instructions across lines and pages", AttackEnd.Never, Locked),
        new("memory-random", "Reads and writes at random addresses", AttackEnd.Never, RandomAccess),
    ];

    private static void Cpuid(AttackCode a)
    {
        var c = a.C;
        c.xor(esi, esi);
        a.Forever(() =>
        {
            foreach (var leaf in (ReadOnlySpan<uint>)[0, 0x4000_0000, 0x8000_0000])
            {
                c.mov(eax, leaf);
                c.add(eax, esi);
                c.mov(ecx, esi);
                c.cpuid();
                c.add(eax, ebx);
                c.add(eax, ecx);
                c.add(eax, edx);
                a.Fold();
            }

            a.Random();
            c.cpuid();
            c.inc(esi);
            c.and(esi, 0x3F);
        });
    }

    private static void RandomNumbers(AttackCode a)
    {
        a.Forever(() =>
        {
            for (var i = 0; i < 8; i++)
            {
                a.Guarded(() =>
                {
                    a.C.rdrand(eax);
                    a.Fold();
                });
                a.Guarded(() =>
                {
                    a.C.rdseed(eax);
                    a.Fold();
                });
            }
        });
    }

    private static void Caches(AttackCode a)
    {
        var c = a.C;
        c.mov(ebx, AttackLayout.Work);
        a.Forever(() =>
        {
            a.Guarded(c.wbinvd);
            a.Guarded(c.invd);
            a.Guarded(() => c.clflush(__byte_ptr[ebx]));
            a.Guarded(() => c.clflush(__byte_ptr[0xFEE0_0000]));
            a.Guarded(() => c.prefetcht0(__byte_ptr[0xFFFF_FFFF]));
            c.mfence();
            c.lfence();
            c.sfence();
        });
    }

    private static void Monitor(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.Guarded(() =>
            {
                c.mov(eax, AttackLayout.Work);
                c.xor(ecx, ecx);
                c.xor(edx, edx);
                c.monitor();
            });
            a.Guarded(() =>
            {
                c.xor(eax, eax);
                c.mov(ecx, 1);
                c.mwait();
            });
            for (var i = 0; i < 16; i++)
            {
                c.pause();
            }
        });
    }

    private static void Counters(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.rdtsc();
            a.Fold();
            a.Guarded(() =>
            {
                c.rdtscp();
                a.Fold();
            });
            a.Guarded(() =>
            {
                a.Random();
                c.mov(ecx, eax);
                c.rdpmc();
            });
            foreach (var (low, high) in (ReadOnlySpan<(uint, uint)>)[(0, 0), (0xFFFF_FFFF, 0xFFFF_FFFF), (0xFFFF_FFFF, 0x7FFF_FFFF), (0, 0x8000_0000)])
            {
                a.Guarded(() => a.WriteMsr(0x10, low, high));
                a.Guarded(() => a.WriteMsr(0x3B, high, low));
                a.Guarded(() => c.rdtsc());
            }
        });
    }

    private static void ReadMsrs(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var (first, count) in (ReadOnlySpan<(uint, uint)>)[(0, 0x2000), (0xC000_0000, 0x400), (0x4000_0000, 0x100), (0xC001_0000, 0x200)])
            {
                c.mov(ebx, first);
                var next = a.Code.Here();
                a.Guarded(() =>
                {
                    c.mov(ecx, ebx);
                    c.rdmsr();
                    a.Fold();
                    c.mov(eax, edx);
                    a.Fold();
                });
                c.inc(ebx);
                c.cmp(ebx, unchecked((int)(first + count)));
                c.jne(next.Label);
            }
        });
    }

    private static void WriteMsrs(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var (first, count) in (ReadOnlySpan<(uint, uint)>)[(0, 0x2000), (0xC000_0000, 0x400), (0x4000_0000, 0x100)])
            {
                c.mov(ebx, first);
                var next = a.Code.Here();
                a.Guarded(() =>
                {
                    a.Random();
                    c.mov(esi, eax);
                    a.Random();
                    c.mov(edx, esi);
                    c.mov(ecx, ebx);
                    c.wrmsr();
                });
                c.inc(ebx);
                c.cmp(ebx, unchecked((int)(first + count)));
                c.jne(next.Label);
            }
        });
    }

    private static void KnownMsrs(AttackCode a)
    {
        ReadOnlySpan<uint> numbers =
        [
            0x10, 0x1B, 0x3A, 0x3B, 0x48, 0x49, 0x79, 0x8B, 0xE7, 0xE8, 0xFE, 0x10A, 0x174, 0x175, 0x176, 0x179, 0x17A, 0x1A0, 0x1D9,
            0x200, 0x201, 0x250, 0x277, 0x2FF, 0x400, 0x6E0, 0x808, 0x80F, 0x832, 0x838, 0x83E, 0xC000_0080, 0xC000_0081, 0xC000_0082,
            0xC000_0083, 0xC000_0084, 0xC000_0100, 0xC000_0101, 0xC000_0102, 0xC000_0103,
        ];
        var start = a.Code.Here();
        foreach (var number in numbers)
        {
            var msr = number;
            foreach (var value in (ReadOnlySpan<uint>)[0, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF])
            {
                a.Guarded(() => a.WriteMsr(msr, value, value));
                a.Guarded(() => a.WriteMsr(msr, value));
            }

            for (var i = 0; i < 4; i++)
            {
                a.Guarded(() =>
                {
                    a.Random();
                    a.C.mov(esi, eax);
                    a.Random();
                    a.C.mov(edx, esi);
                    a.C.mov(ecx, msr);
                    a.C.wrmsr();
                    a.C.rdmsr();
                    a.Fold();
                });
            }
        }

        a.C.jmp(start.Label);
    }

    private static void Touch(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.mov(ebx, Layout.Free);
            var next = a.Code.Here();
            a.Random();
            c.mov(__dword_ptr[ebx], eax);
            c.add(ebx, 0x1000);
            c.cmp(ebx, __dword_ptr[AttackLayout.RamEnd]);
            c.jb(next.Label);
        });
    }

    private static void Locked(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var offset in (ReadOnlySpan<uint>)[0x3E, 0xFFE, 0xFFF, 0])
            {
                c.@lock.xadd(__dword_ptr[AttackLayout.Work + offset], eax);
                c.@lock.cmpxchg(__dword_ptr[AttackLayout.Work + offset], ebx);
                c.@lock.btc(__dword_ptr[AttackLayout.Work + offset], 31);
                c.@lock.cmpxchg8b(__qword_ptr[AttackLayout.Work + offset]);
                c.xchg(__dword_ptr[AttackLayout.Work + offset], ecx);
            }
        });
    }

    private static void RandomAccess(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            // RAM that is not ours to keep, then the whole of 4 GiB for reading.
            a.Random();
            c.and(eax, (int)(AttackLayout.CodeEnd - AttackLayout.Code - 1));
            c.inc(__dword_ptr[eax + AttackLayout.Code]);
            a.Random();
            c.mov(ecx, __dword_ptr[eax]);
            c.lea(edx, __[eax + 0x1FFD]);
            c.mov(ecx, __dword_ptr[edx]);
        });
    }
}
