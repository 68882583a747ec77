using System;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Boot;

/// <summary>
/// A firmware image: it stands in memory where a PC has its ROM, and the processor starts in it. All parts are left in their power-on
/// state, but for the local APIC, which passes the 8259s' interrupts on as on boards that are older than it.
/// </summary>
[NotState("All that it does is in the parts, in memory and in the processor.")]
internal sealed class RomFirmware(RomBoot boot) : Firmware
{
    private const int Granularity = 64 << 10;
    private const int LargestImage = 16 << 20;
    private const ulong FourGiB = 0x1_0000_0000;

    // The jump at the reset vector stands in the image's last 16 bytes, and erased flash reads as ones.
    private const int ResetVectorFromEnd = 16;
    private const byte Erased = 0xFF;

    public override void PrepareParts(Board board)
    {
        board.Interrupts.LocalApic.InitializeAsFirmware();
        board.Find<RtcCmos>()?.SetDrives(board.Configuration.Drives, boot.Order);
        board.Find<I440FxHostBridge>()!.InsertFirmware(boot.Image);
    }

    /// <exception cref="MachineBootException">It is no firmware image.</exception>
    public override void Start(Board board, Vcpu cpu)
    {
        int length = boot.Image.Length;
        if (length == 0 || length % Granularity != 0 || length > LargestImage)
        {
            throw new MachineBootException($"A firmware image is a multiple of 64 KiB, 16 MiB at most; this one has {length} bytes. Give the file that goes into a PC's flash memory, such as SeaBIOS's bios-256k.bin.");
        }

        if (!boot.Image.Span[^ResetVectorFromEnd..].ContainsAnyExcept(Erased) || !boot.Image.Span[^ResetVectorFromEnd..].ContainsAnyExcept((byte)0))
        {
            throw new MachineBootException("The firmware image has no code at the reset vector, in its last 16 bytes. Give the whole image of a PC's flash memory.");
        }

        board.Memory.MapRom(FourGiB - (ulong)length, boot.Image.Span);
        board.Find<I440FxHostBridge>()!.PowerOnMemory(boot.Image);
    }
}
