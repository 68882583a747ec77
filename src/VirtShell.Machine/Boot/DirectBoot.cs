using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Display;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Boot;

/// <summary>
/// Starts a kernel at once, in the place of firmware: leaves the parts, the tables and the BIOS data as a PC's firmware
/// would, then puts the image into memory and the processor at its entry.
/// </summary>
[NotState("All that it does is in the parts, in memory and in the processor.")]
internal sealed class DirectBoot(BootImage? image) : Firmware
{
    // Holds the processor's signature after reset.
    private const int EdxNumber = 2;

    private byte[]? _acpiTables;
    private byte[]? _mpTable;

    public override void PrepareParts(Board board)
    {
        board.Interrupts.Pic.InitializeAsFirmware();
        board.Find<Pit8254>()?.InitializeAsFirmware();
        board.Find<Dma8237Pair>()?.InitializeAsFirmware();
        board.Interrupts.LocalApic.InitializeAsFirmware();
        FloppyCmos.Write(board);
        if (board.Find<VgaAdapter>() is { } display)
        {
            VgaTextMode.Set(display);
        }

        if (board.IsOn("pci", PcModel.AssignResources))
        {
            board.Pci.AssignResources();
        }
    }

    /// <exception cref="MachineBootException">The boot image is damaged or does not fit.</exception>
    public override void Start(Board board, Vcpu cpu)
    {
        // They tell of parts and of routes that are the same at each reset.
        _acpiTables ??= AcpiTables.Build((uint)MemoryMap.FirmwareStart, board);
        _mpTable ??= MpTable.Build((uint)cpu.GetRegister(EdxNumber), board);
        MemoryMap.WriteBiosData(board);
        board.Memory.Write(MemoryMap.FirmwareStart, _acpiTables);
        board.Memory.Write(MpTable.Address, _mpTable);
        Load(cpu, board.Configuration.CpuModel, board.Memory, _acpiTables.Length == 0 ? 0 : MemoryMap.FirmwareStart);
    }

    private void Load(Vcpu cpu, CpuModel model, PhysicalMemory memory, ulong rsdp)
    {
        switch (image)
        {
            case LinuxBoot linux:
                LinuxLoader.Load(linux, cpu, model, memory, rsdp);
                break;
            case ElfBoot elf:
                PvhLoader.Load(elf, cpu, model, memory, rsdp);
                break;
            case MultibootBoot multiboot when Multiboot2Loader.Accepts(multiboot.Image.Span):
                Multiboot2Loader.Load(multiboot, cpu, memory, rsdp);
                break;
            case MultibootBoot multiboot:
                MultibootLoader.Load(multiboot, cpu, memory);
                break;
            default:
                throw new MachineBootException($"The machine cannot boot from a {image?.GetType().Name ?? "missing boot image"}.");
        }
    }
}
