using System;
using System.Collections.Generic;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;

namespace VirtShell.Machine.Drives;

/// <summary>The PIIX3's function 1 (Intel 290550, 82371SB, 2.3): two IDE channels at the ports of the PC/AT, with a bus master.</summary>
internal sealed class Piix3Ide : PciDevice, IPciFirmwareDefaults, IPortHandler
{
    public const ushort PrimaryPort = 0x1F0;
    public const ushort PrimaryControlPort = 0x3F6;
    public const int PrimaryIrq = 14;
    public const ushort SecondaryPort = 0x170;
    public const ushort SecondaryControlPort = 0x376;
    public const int SecondaryIrq = 15;

    /// <summary>Channels.</summary>
    public const int ChannelCount = 2;

    /// <summary>Drives: two on each channel.</summary>
    public const int DriveCount = ChannelCount * IdeChannel.DeviceCount;

    // Mass storage, IDE, channels at fixed ports, bus master.
    private const uint PciClass = 0x010180;

    /// <summary>IDETIM, one for each channel (2.3.9): bit 15 lets the channel answer its ports. The timings hold what is written.</summary>
    private const int Timing = 0x40;
    private const int TimingBytes = 2;
    private const uint TimingDecode = 0x8000;

    /// <summary>SIDETIM (2.3.10), timings of device 1.</summary>
    private const int SlaveTiming = 0x44;

    /// <summary>BMIBA (2.3.8).</summary>
    private const int BusMasterBar = 4;
    private const int BusMasterPorts = ChannelCount * IdeBusMaster.RegisterCount;

    private readonly IdeChannel[] _channels = new IdeChannel[ChannelCount];

    /// <param name="context">What the row claims, and the machine's drives.</param>
    /// <exception cref="PartException">Two drives have one place, or a drive has none.</exception>
    public Piix3Ide(PartContext context)
        : base(new PciIdentity(0x8086, 0x7010, PciClass, 0x00, 0x1AF4, 0x1100))
    {
        for (int i = 0; i < ChannelCount; i++)
        {
            Config.Define(Timing + (TimingBytes * i), TimingBytes, 0, 0xFFFF);
        }

        Config.Define(SlaveTiming, 1, 0, 0xFF);
        AddPortBar(BusMasterBar, BusMasterPorts, this);
        _channels[0] = new IdeChannel(context.Bus, PrimaryPort, PrimaryControlPort, context.Irq("primary-interrupt"), new IdeBusMaster(context.Memory, () => IsBusMaster), () => IsDecoded(0));
        _channels[1] = new IdeChannel(context.Bus, SecondaryPort, SecondaryControlPort, context.Irq("secondary-interrupt"), new IdeBusMaster(context.Memory, () => IsBusMaster), () => IsDecoded(1));
        foreach (Drive drive in context.Configuration.DrivesOn(DriveBus.Ide, DriveCount))
        {
            IdeChannel channel = _channels[drive.Number / IdeChannel.DeviceCount];
            int place = drive.Number % IdeChannel.DeviceCount;
            channel.Attach(place, drive.Kind == DriveKind.Cd ? new AtapiCd(channel, drive, context.Clock) { Faulted = context.Signals.StorageFaulted } : new AtaDisk(channel, drive, context.Clock) { Faulted = context.Signals.StorageFaulted });
        }
    }

    /// <summary>The channels, primary first.</summary>
    public IReadOnlyList<IdeChannel> Channels => _channels;

    public uint ReadPort(ushort port, int size)
    {
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            int register = (port + i) % BusMasterPorts;
            value |= (uint)_channels[register / IdeBusMaster.RegisterCount].BusMaster.Read(register % IdeBusMaster.RegisterCount) << (8 * i);
        }

        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        for (int i = 0; i < size; i++)
        {
            int register = (port + i) % BusMasterPorts;
            _channels[register / IdeBusMaster.RegisterCount].BusMaster.Write(register % IdeBusMaster.RegisterCount, (byte)(value >> (8 * i)));
        }
    }

    /// <summary>Both channels answer their ports.</summary>
    void IPciFirmwareDefaults.ApplyFirmwareDefaults()
    {
        for (int i = 0; i < ChannelCount; i++)
        {
            WriteConfig(Timing + (TimingBytes * i), TimingBytes, TimingDecode);
        }
    }

    protected override void ResetDevice()
    {
        foreach (IdeChannel channel in _channels)
        {
            channel.Reset();
        }
    }

    protected override void OnBusMasterEnabled()
    {
        foreach (IdeChannel channel in _channels)
        {
            channel.BusMaster.Started?.Invoke();
        }
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Part("primary", _channels[0]);
        visitor.Part("secondary", _channels[1]);
    }

    private bool IsDecoded(int channel) =>
        (Config.Read(PciRegister.Command, 2) & PciCommand.IoSpace) != 0 && (Config.Read(Timing + (TimingBytes * channel), TimingBytes) & TimingDecode) != 0;
}
