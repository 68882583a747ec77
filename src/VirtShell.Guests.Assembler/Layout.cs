namespace VirtShell.Guests.Assembler;

/// <summary>
/// Where a guest keeps what it needs in physical memory. Everything lies in the second MiB, so that each guest runs in
/// 2 MiB of RAM; Multiboot's bss covers what follows the image, so that it starts zeroed.
/// </summary>
internal static class Layout
{
    public const uint Load = 0x0010_0000;

    /// <summary>The image must end below this address.</summary>
    public const uint ImageLimit = 0x0016_0000;

    /// <summary>The physical address of the Multiboot information structure, kept from EBX.</summary>
    public const uint BootInfo = 0x0016_0000;

    /// <summary>A dword of the guest's own.</summary>
    public const uint Counter = 0x0016_0004;

    /// <summary>Write and read positions of the keyboard ring (<see cref="Ring"/>).</summary>
    public const uint RingWrite = 0x0016_0008;

    public const uint RingRead = 0x0016_000C;

    /// <summary>Set by the interrupt handler when the power button was pressed.</summary>
    public const uint PowerButton = 0x0016_0010;

    /// <summary>256 bytes of received characters.</summary>
    public const uint Ring = 0x0016_0100;

    /// <summary>The line that is being edited, <see cref="LineSize"/> bytes.</summary>
    public const uint Line = 0x0016_0200;

    public const int LineSize = 128;

    /// <summary>256 gates of 8 bytes.</summary>
    public const uint Idt = 0x0016_1000;

    /// <summary>A 32-bit task-state segment, for guests that leave ring 0.</summary>
    public const uint Tss = 0x0016_2000;

    public const int TssSize = 0x68;

    /// <summary>A dword for each interrupt vector.</summary>
    public const uint VectorCounts = 0x0016_3000;

    public const uint StackTop = 0x0017_0000;

    /// <summary>Page tables: up to 16 pages of 4 KiB.</summary>
    public const uint PageTables = 0x0017_0000;

    public const uint BssEnd = 0x0018_0000;

    /// <summary>RAM from here on belongs to nobody.</summary>
    public const uint Free = 0x0020_0000;

    public const ushort CodeSelector = 0x08;
    public const ushort DataSelector = 0x10;
    public const ushort LongCodeSelector = 0x18;
    public const ushort UserCodeSelector = 0x20 | 3;
    public const ushort UserDataSelector = 0x28 | 3;
    public const ushort TssSelector = 0x30;
}
