using System;
using System.Numerics;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;

namespace VirtShell.Machine.Display;

/// <summary>
/// The PC's display: a VGA with the Bochs VBE interface, as QEMU's "standard VGA" (PCI 1234h:1111h). BAR 0 is its memory,
/// BAR 2 has the registers once more, the expansion ROM holds a VGA BIOS where the machine was given one.
/// </summary>
internal sealed class VgaAdapter : PciDevice, IPortHandler
{
    public const ushort MonoPorts = 0x3B4;
    public const int MonoPortCount = 2;
    public const ushort MonoStatus = 0x3BA;
    public const ushort Ports = 0x3C0;
    public const int PortCount = 16;
    public const ushort ColorPorts = 0x3D4;
    public const int ColorPortCount = 2;
    public const ushort ColorStatus = 0x3DA;
    public const ushort DispiIndexPort = 0x1CE;
    public const ushort DispiDataPort = 0x1CF;

    /// <summary>The ROM's largest size, and what its register decodes where there is none.</summary>
    public const int MostRomBytes = 256 << 10;

    private const int MemoryBar = 0;
    private const int RegisterBar = 2;
    private const uint RegisterBarSize = 4096;
    private const int LeastRomBytes = 2048;
    private const int DispiPorts = 3;

    // Runtime glue.
    private readonly MachineClock _clock;

    public VgaAdapter(PartContext context, int memoryBytes)
        : base(new PciIdentity(0x1234, 0x1111, 0x030000, 0x02, 0x1AF4, 0x1100))
    {
        IoBus bus = context.Bus;
        _clock = context.Clock;
        Memory = new VideoMemory(bus, context.Memory, memoryBytes);
        Dispi = new DispiRegisters(Memory);
        Window = new VgaWindow(bus, context.Memory, Memory, Registers, Dispi);
        Registers.ModeChanged = Window.ModeChanged;
        Dispi.Changed = DispiChanged;
        bus.MapPorts(MonoPorts, MonoPortCount, this);
        bus.MapPorts(MonoStatus, 1, this);
        bus.MapPorts(Ports, PortCount, this);
        bus.MapPorts(ColorPorts, ColorPortCount, this);
        bus.MapPorts(ColorStatus, 1, this);

        // Words at each, though the ports follow each other; the third is the data register's upper half.
        bus.MapPorts(DispiIndexPort, 1, this, accessWidth: 2, overhang: 1);
        bus.MapPorts(DispiDataPort, DispiPorts - 1, this, accessWidth: 2, overhang: 1);
        AddMemoryBar(MemoryBar, BitOperations.RoundUpToPowerOf2((uint)memoryBytes), Memory, isPrefetchable: true);
        AddMemoryBar(RegisterBar, RegisterBarSize, new VgaRegisterFile(this));
        ReadOnlyMemory<byte> rom = context.Configuration.VideoRom;
        if (!rom.IsEmpty)
        {
            if (rom.Length > MostRomBytes)
            {
                throw new ArgumentException($"A video ROM has at most {MostRomBytes} bytes; this one has {rom.Length}.");
            }

            AddRom(BitOperations.RoundUpToPowerOf2((uint)Math.Max(rom.Length, LeastRomBytes)), new RomImage(rom));
        }
    }

    public VgaRegisters Registers { get; } = new();

    public DispiRegisters Dispi { get; }

    public VideoMemory Memory { get; }

    public VgaWindow Window { get; }

    /// <summary>Where the beam is, and how long a frame takes.</summary>
    public VgaTiming Timing => new(Registers);

    public uint ReadPort(ushort port, int size)
    {
        switch (port)
        {
            case DispiIndexPort:
                return Dispi.Index;
            case DispiDataPort:
                return Dispi.Read(Dispi.Index);
            case DispiDataPort + 1:
                return (uint)Dispi.Read(Dispi.Index) >> 8;
            case MonoStatus or ColorStatus:
                return Registers.Read(port, Timing.StatusAt(_clock.Now));
            default:
                return Registers.Read(port, 0);
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port)
        {
            case DispiIndexPort:
                Dispi.Index = (ushort)value;
                break;
            case DispiDataPort:
                Dispi.Write(Dispi.Index, (ushort)value);
                break;
            case DispiDataPort + 1:
                break;
            default:
                Registers.Write(port, (byte)value);
                break;
        }
    }

    protected override void ResetDevice()
    {
        Memory.Reset();
        Registers.Reset();
        Dispi.Reset();
        Window.Reset();
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        Window.Settle();
        visitor.Part("registers", Registers);
        visitor.Part("dispi", Dispi);
        Window.Describe(visitor);
        if (visitor.IsLoading)
        {
            Window.ModeChanged();
        }

        visitor.Part("memory", Memory);
    }

    private void DispiChanged()
    {
        Window.Settle();
        Registers.HasWideDac = Dispi.HasWideDac;
    }

    // Read only, and all ones behind its end.
    private sealed class RomImage(ReadOnlyMemory<byte> image) : IMmioHandler
    {
        public ulong ReadMmio(ulong offset, int size)
        {
            ulong value = 0;
            ReadOnlySpan<byte> bytes = image.Span;
            for (int i = 0; i < size; i++)
            {
                ulong at = offset + (ulong)i;
                value |= (ulong)(at < (ulong)bytes.Length ? bytes[(int)at] : 0xFF) << (8 * i);
            }

            return value;
        }

        public void WriteMmio(ulong offset, int size, ulong value)
        {
        }
    }
}
