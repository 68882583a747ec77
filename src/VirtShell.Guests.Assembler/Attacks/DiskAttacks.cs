using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Requests to the first disk, where there is one. They wait for nothing, so the queue is always full.</summary>
internal static class DiskAttacks
{
    private const int Slot = AttackCode.DiskSlot;
    private const uint Table = AttackLayout.Descriptors;
    private const uint Header = AttackLayout.Buffer;
    private const uint Ranges = AttackLayout.Buffer + 0x100;
    private const uint StatusByte = AttackLayout.Buffer + 0x200;
    private const uint Data = AttackLayout.Work;
    private const uint SegmentBytes = 0x1_0000;
    private const uint CapacityLow = AttackCode.DeviceConfig;

    private const uint Read = 0;
    private const uint Write = 1;
    private const uint Flush = 4;
    private const uint GetId = 8;
    private const uint Discard = 11;
    private const uint WriteZeroes = 13;
    private const uint FeatureDiscard = 1 << 13;
    private const uint FeatureWriteZeroes = 1 << 14;

    public static readonly Attack[] All =
    [
        new("disk-largest", "Reads and writes of the largest size that the disk takes", AttackEnd.Never, Largest),
        new("disk-fill", "Writes over the whole disk, again and again", AttackEnd.Never, FillDisk),
        new("disk-zero", "Discards, and writes zeroes to, the whole disk", AttackEnd.Never, Zero),
        new("disk-flush", "A queue full of flushes, again and again", AttackEnd.Never, Flushes),
        new("disk-sectors", "Sectors behind the end and at 2^64-1, odd lengths, unknown requests", AttackEnd.Never, Sectors),
        new("disk-rings", "The disk's content is read over the rings of the request itself", AttackEnd.Never, OverRings),
        new("disk-reset", "The disk is reset with a full queue under way", AttackEnd.Never, ResetUnderWay) { IsHeavy = true },
    ];

    private static void Largest(AttackCode a)
    {
        const int Most = 63;
        Begin(a);
        foreach (var type in (ReadOnlySpan<uint>)[Read, Write])
        {
            var first = type == Read ? 0 : 128;
            a.Descriptor(Table, first, Header + (type * 16), 16, AttackCode.FlagNext, first + 1);
            for (var i = 1; i <= Most; i++)
            {
                a.Descriptor(Table, first + i, Data, SegmentBytes, AttackCode.FlagNext | (type == Read ? AttackCode.FlagWrite : 0), first + i + 1);
            }

            a.Descriptor(Table, first + Most + 1, StatusByte, 1, AttackCode.FlagWrite);
            SetHeader(a, type, 0, Header + (type * 16));
        }

        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            foreach (var head in (ReadOnlySpan<int>)[0, 128])
            {
                Push(a, head);
                Wait(a);
            }
        });
    }

    private static void FillDisk(AttackCode a)
    {
        Begin(a);
        SetHeader(a, Write, 0, Header);
        a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
        a.Descriptor(Table, 1, Data, SegmentBytes, AttackCode.FlagNext, 2);
        a.Descriptor(Table, 2, StatusByte, 1, AttackCode.FlagWrite);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            var within = a.Code.NewSpot();
            Push(a, 0);
            Wait(a);
            a.C.inc(__dword_ptr[Data]);
            a.C.mov(eax, __dword_ptr[Header + 8]);
            a.C.add(eax, (int)SegmentBytes / 512);
            a.C.cmp(eax, __dword_ptr[AttackCode.Registers(Slot) + CapacityLow]);
            a.C.jb(within.Label);
            a.C.xor(eax, eax);
            a.Code.Place(within);
            a.C.mov(__dword_ptr[Header + 8], eax);
        });
    }

    private static void Zero(AttackCode a)
    {
        Begin(a, FeatureDiscard | FeatureWriteZeroes);
        a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
        a.Descriptor(Table, 2, StatusByte, 1, AttackCode.FlagWrite);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            foreach (var type in (ReadOnlySpan<uint>)[Discard, WriteZeroes])
            {
                foreach (var (ranges, sectors) in (ReadOnlySpan<(uint, uint)>)[(1, 0), (16, 0), (1, 0xFFFF_FFFF), (17, 1), (0x1000, 1)])
                {
                    SetHeader(a, type, 0, Header);
                    a.Descriptor(Table, 1, Ranges, ranges * 16, AttackCode.FlagNext, 2);
                    for (var i = 0u; i < Math.Min(ranges, 16); i++)
                    {
                        a.C.mov(__dword_ptr[Ranges + (i * 16)], 0);
                        a.C.mov(__dword_ptr[Ranges + (i * 16) + 4], sectors == 1 ? -1 : 0);
                        if (sectors == 0)
                        {
                            a.C.mov(eax, __dword_ptr[AttackCode.Registers(Slot) + CapacityLow]);
                        }
                        else
                        {
                            a.C.mov(eax, sectors);
                        }

                        a.C.mov(__dword_ptr[Ranges + (i * 16) + 8], eax);
                        a.C.mov(__dword_ptr[Ranges + (i * 16) + 12], 0);
                    }

                    Push(a, 0);
                    Wait(a);
                }
            }
        });
    }

    private static void Flushes(AttackCode a)
    {
        Begin(a);
        SetHeader(a, Flush, 0, Header);
        a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
        a.Descriptor(Table, 1, StatusByte, 1, AttackCode.FlagWrite);
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            // One head in every place of the ring, all at once.
            a.C.add(ebx, 256);
            a.C.mov(__word_ptr[AttackLayout.Available + 2], bx);
            a.Notify(Slot, 0);
            Wait(a);
        });
    }

    private static void Sectors(AttackCode a)
    {
        ReadOnlySpan<(ulong Sector, uint Length)> places =
            [(ulong.MaxValue, 512), (1UL << 63, 512), (1UL << 55, 512), (0x7FFF_FFFF_FFFF_FFFF, 512), (0, 511), (0, 1), (0, 0xFFFF_FFFF), (0xFFFF_FFFF, 0x1_0000)];
        ReadOnlySpan<uint> types = [Read, Write, GetId, 2, 0xFFFF_FFFF];
        Begin(a);
        var start = a.Code.Here();
        foreach (var type in types)
        {
            foreach (var (sector, length) in places)
            {
                a.RestartDevice(Slot);
                a.ClearRings();
                a.SetQueue(Slot, 0);
                a.SetRunning(Slot);
                a.C.xor(ebx, ebx);
                SetHeader(a, type, sector, Header);
                a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
                a.Descriptor(Table, 1, Data, length, AttackCode.FlagNext | (type == Write ? 0 : AttackCode.FlagWrite), 2);
                a.Descriptor(Table, 2, StatusByte, 1, AttackCode.FlagWrite);
                Push(a, 0);
                Wait(a);
                a.C.movzx(eax, __byte_ptr[StatusByte]);
                a.Fold();
                a.FoldStatus(Slot);
            }
        }

        a.C.jmp(start.Label);
    }

    private static void OverRings(AttackCode a)
    {
        Begin(a);
        var start = a.Code.Here();
        foreach (var target in (ReadOnlySpan<uint>)[Table, AttackLayout.Available, AttackLayout.Used, Header, StatusByte])
        {
            a.RestartDevice(Slot);
            a.ClearRings();
            a.SetQueue(Slot, 0);
            a.SetRunning(Slot);
            a.C.xor(ebx, ebx);
            SetHeader(a, Read, 0, Header);
            a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
            a.Descriptor(Table, 1, target, 4096, AttackCode.FlagNext | AttackCode.FlagWrite, 2);
            a.Descriptor(Table, 2, StatusByte, 1, AttackCode.FlagWrite);
            Push(a, 0);
            Push(a, 0);
            Wait(a);
            a.FoldStatus(Slot);
        }

        a.C.jmp(start.Label);
    }

    private static void ResetUnderWay(AttackCode a)
    {
        Begin(a);
        a.Forever(() =>
        {
            a.RestartDevice(Slot);
            a.ClearRings();
            a.SetQueue(Slot, 0);
            a.SetRunning(Slot);
            SetHeader(a, Write, 0, Header);
            a.Descriptor(Table, 0, Header, 16, AttackCode.FlagNext, 1);
            a.Descriptor(Table, 1, Data, SegmentBytes, AttackCode.FlagNext, 2);
            a.Descriptor(Table, 2, StatusByte, 1, AttackCode.FlagWrite);
            a.C.mov(__word_ptr[AttackLayout.Available + 2], 256);
            a.Notify(Slot, 0);
        });
    }

    /// <summary>Starts the disk, interrupts of it off. EBX counts what was made available.</summary>
    private static void Begin(AttackCode a, uint features = 0)
    {
        a.StartDevice(Slot, features);
        a.C.mov(__dword_ptr[AttackLayout.Available], 1);
        a.C.mov(__dword_ptr[AttackLayout.Used], 0);
        a.SetQueue(Slot, 0);
        a.SetRunning(Slot);
    }

    private static void SetHeader(AttackCode a, uint type, ulong sector, uint at)
    {
        a.C.mov(__dword_ptr[at], type);
        a.C.mov(__dword_ptr[at + 4], 0);
        a.C.mov(__dword_ptr[at + 8], (uint)sector);
        a.C.mov(__dword_ptr[at + 12], (uint)(sector >> 32));
    }

    /// <summary>Makes one more request available. Changes EAX, EBX.</summary>
    private static void Push(AttackCode a, int head)
    {
        a.C.movzx(eax, bl);
        a.C.mov(__word_ptr[(eax * 2) + (AttackLayout.Available + 4)], (short)head);
        a.C.inc(ebx);
        a.C.mov(__word_ptr[AttackLayout.Available + 2], bx);
        a.Notify(Slot, 0);
    }

    /// <summary>Waits until all was given back, but not for ever: a request may have been refused. Changes EAX, ECX.</summary>
    private static void Wait(AttackCode a)
    {
        var done = a.Code.NewSpot();
        a.C.mov(ecx, 20_000);
        var wait = a.Code.Here();
        a.C.cmp(bx, __word_ptr[AttackLayout.Used + 2]);
        a.C.je(done.Label);
        a.C.dec(ecx);
        a.C.jne(wait.Label);
        a.Code.Place(done);
    }
}
