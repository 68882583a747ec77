using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>PCI and virtio (virtio 1.2, 2.7 and 4.1), as far as attacks misuse them.</summary>
internal sealed partial class AttackCode
{
    public const int RngSlot = 4;
    public const int ConsoleSlot = 5;
    public const int DiskSlot = 6;

    public const int PciAddress = 0xCF8;
    public const int PciData = 0xCFC;
    public const int PciCommand = 0x04;
    public const int PciBar1 = 0x14;
    public const int PciBar4 = 0x20;
    public const int MemoryAndMaster = 0x06;

    // Offsets in a device's register BAR; the layout is the machine's, which an attacker knows.
    public const int FeatureSelect = 0x08;
    public const int Features = 0x0C;
    public const int ConfigVector = 0x10;
    public const int Status = 0x14;
    public const int QueueSelect = 0x16;
    public const int QueueSize = 0x18;
    public const int QueueVector = 0x1A;
    public const int QueueEnable = 0x1C;
    public const int QueueDescriptors = 0x20;
    public const int QueueDriver = 0x28;
    public const int QueueDevice = 0x30;
    public const int DeviceConfig = 0x2000;
    public const int Notification = 0x3000;

    public const int DriverOk = 0x0F;

    public const uint FeatureIndirect = 1 << 28;
    public const uint FeatureEventIndex = 1 << 29;

    public const int FlagNext = 1;
    public const int FlagWrite = 2;
    public const int FlagIndirect = 4;

    /// <summary>Where a slot's registers are put: BAR 4.</summary>
    public static uint Registers(int slot) => 0xE000_0000 + ((uint)slot << 16);

    /// <summary>Where a slot's MSI-X table is put: BAR 1.</summary>
    public static uint Msix(int slot) => Registers(slot) + 0x8000;

    /// <summary>Writes a dword of configuration space. Changes EAX, EDX.</summary>
    public void PciWrite(int slot, int register, uint value)
    {
        PciSelect(slot, register);
        C.mov(edx, PciData);
        C.mov(eax, value);
        C.@out(dx, eax);
    }

    /// <summary>Addresses a dword of configuration space. Changes EAX, EDX.</summary>
    public void PciSelect(int slot, int register)
    {
        C.mov(edx, PciAddress);
        C.mov(eax, 0x8000_0000u | ((uint)slot << 11) | (uint)register);
        C.@out(dx, eax);
    }

    /// <summary>Resets a device, and goes as far as FEATURES_OK.</summary>
    public void StartDevice(int slot, uint features = 0)
    {
        PciWrite(slot, PciBar4, Registers(slot));
        PciWrite(slot, PciBar1, Msix(slot));
        PciWrite(slot, PciCommand, MemoryAndMaster);
        RestartDevice(slot, features);
    }

    /// <summary>The same where the BARs are in place.</summary>
    public void RestartDevice(int slot, uint features = 0)
    {
        var registers = Registers(slot);
        foreach (var status in (ReadOnlySpan<int>)[0, 1, 3])
        {
            C.mov(__byte_ptr[registers + Status], (sbyte)status);
        }

        C.mov(__dword_ptr[registers + FeatureSelect], 0);
        C.mov(__dword_ptr[registers + Features], features);
        C.mov(__dword_ptr[registers + FeatureSelect], 1);
        C.mov(__dword_ptr[registers + Features], 1); // VERSION_1
        C.mov(__byte_ptr[registers + Status], 0x0B);
    }

    /// <summary>Tells a queue's places and enables it.</summary>
    public void SetQueue(int slot, int queue, ulong descriptors = AttackLayout.Descriptors, ulong available = AttackLayout.Available, ulong used = AttackLayout.Used)
    {
        var registers = Registers(slot);
        C.mov(__word_ptr[registers + QueueSelect], (short)queue);
        foreach (var (register, address) in (ReadOnlySpan<(int, ulong)>)[(QueueDescriptors, descriptors), (QueueDriver, available), (QueueDevice, used)])
        {
            C.mov(__dword_ptr[registers + (uint)register], (uint)address);
            C.mov(__dword_ptr[registers + (uint)register + 4], (uint)(address >> 32));
        }

        C.mov(__word_ptr[registers + QueueEnable], 1);
    }

    public void SetRunning(int slot) => C.mov(__byte_ptr[Registers(slot) + Status], DriverOk);

    public void Notify(int slot, int queue) => C.mov(__word_ptr[Registers(slot) + Notification + ((uint)queue * 4)], (short)queue);

    public void Descriptor(uint table, int index, ulong address, uint length, int flags = 0, int next = 0)
    {
        var at = table + ((uint)index * 16);
        C.mov(__dword_ptr[at], (uint)address);
        C.mov(__dword_ptr[at + 4], (uint)(address >> 32));
        C.mov(__dword_ptr[at + 8], length);
        C.mov(__dword_ptr[at + 12], (uint)(flags | (next << 16)));
    }

    /// <summary>Makes a chain available as the first request since the queue was enabled.</summary>
    public void MakeAvailable(int head = 0, int index = 1)
    {
        C.mov(__dword_ptr[AttackLayout.Available + 4], (uint)head);
        C.mov(__dword_ptr[AttackLayout.Available], (uint)index << 16);
    }

    /// <summary>Forgets what a queue held.</summary>
    public void ClearRings()
    {
        C.mov(__dword_ptr[AttackLayout.Available], 0);
        C.mov(__dword_ptr[AttackLayout.Used], 0);
    }

    /// <summary>One request of one buffer on a device started anew; what became of the device is folded in. Changes EAX, EDX.</summary>
    public void OneRequest(int slot, int queue, ulong address, uint length, int flags)
    {
        RestartDevice(slot);
        ClearRings();
        SetQueue(slot, queue);
        SetRunning(slot);
        Descriptor(AttackLayout.Descriptors, 0, address, length, flags);
        MakeAvailable();
        Notify(slot, queue);
        FoldStatus(slot);
    }

    /// <summary>Folds a device's status and used index in. Changes EAX.</summary>
    public void FoldStatus(int slot)
    {
        C.movzx(eax, __byte_ptr[Registers(slot) + Status]);
        Fold();
        C.mov(eax, __dword_ptr[AttackLayout.Used]);
        Fold();
    }
}
