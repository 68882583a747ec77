using System;
using System.Globalization;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Interrupts;

namespace VirtShell.Machine.Boards;

/// <summary>What a part is built with: the board, of which it gets what its row claims, and the choices about it.</summary>
internal sealed class PartContext(Board board, PartRow row, MachineConfiguration configuration) : IRangeGuard
{
    public Board Board => board;

    public IoBus Bus => board.Bus;

    public MachineClock Clock => board.Clock;

    public PhysicalMemory Memory => board.Memory;

    public InterruptRouter Interrupts => board.Interrupts;

    public IBoardSignals Signals => board.Signals;

    public MachineConfiguration Configuration => configuration;

    /// <summary>The row's name, for devices that there are several of.</summary>
    public string Name => row.Name;

    /// <summary>Takes each byte that the guest sends to the part's outlet.</summary>
    public Action<byte> Output
    {
        get
        {
            Outlet outlet = OutletOfRow;
            IBoardSignals signals = board.Signals;
            return value => signals.Output(outlet, value);
        }
    }

    private Outlet OutletOfRow => row.Outlet ?? throw new InvalidOperationException($"Part '{row.Name}' has no outlet.");

    /// <summary>The PCI functions that the row may have.</summary>
    public Claim Pci => row.Claims.First(claim => claim.Kind == ClaimKind.Pci);

    /// <summary>The first port of a claim.</summary>
    public ushort Port(string claim) => (ushort)Find(ClaimKind.Ports, claim).First;

    /// <summary>The interrupt line of a claim.</summary>
    public Action<bool> Irq(string claim) => board.Interrupts.IsaLine((int)Find(ClaimKind.Irq, claim).First);

    /// <summary>The DMA channel of a claim.</summary>
    public DmaChannel Dma(string claim) => board.Dma[(int)Find(ClaimKind.Dma, claim).First];

    /// <summary>Whether a switch is on.</summary>
    public bool IsOn(string option) => Number(option) != 0;

    /// <summary>The value of an option.</summary>
    public long Number(string option) => configuration.Parts.ValueOf(row, row.Options.First(o => o.Name == option));

    /// <summary>A part that the row needs.</summary>
    public T Part<T>()
        where T : class => board.Find<T>() ?? throw new InvalidOperationException($"Part '{row.Name}' needs a {typeof(T).Name}, which its row does not say.");

    /// <summary>Offers what takes input at the part's outlet.</summary>
    public T WithInput<T>(T input)
        where T : IOutletInput
    {
        board.AddInput(OutletOfRow, input);
        return input;
    }

    void IRangeGuard.CheckPorts(ushort first, int count) => Check(ClaimKind.Ports, first, (ulong)first + (ulong)count - 1);

    void IRangeGuard.CheckMmio(ulong start, ulong length) => Check(ClaimKind.Memory, start, start + length - 1);

    private Claim Find(ClaimKind kind, string name)
    {
        foreach (Claim claim in row.Claims)
        {
            if (claim.Kind == kind && claim.Name == name)
            {
                return claim;
            }
        }

        throw new InvalidOperationException($"Part '{row.Name}' has no claim '{name}' of that kind.");
    }

    private void Check(ClaimKind kind, ulong first, ulong last)
    {
        if (!row.Claims.Any(claim => claim.Kind == kind && claim.First <= first && claim.Last >= last))
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"Part '{row.Name}' maps {first:X}h–{last:X}h ({kind}), which its row does not claim."));
        }
    }
}
