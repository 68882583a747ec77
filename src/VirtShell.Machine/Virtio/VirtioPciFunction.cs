using System;
using System.Globalization;
using System.Numerics;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// A virtio device as a transitional PCI function (virtio 1.2, 4.1): the 1.x interface's structures in memory BAR 4, MSI-X in
/// BAR 1, and the legacy interface in port BAR 0.
/// </summary>
internal sealed partial class VirtioPciFunction : PciDevice, IMmioHandler, IVirtioTransport
{
    private const int MsixBar = 1;
    private const int RegisterBar = 4;
    private const uint RegisterBarSize = 0x4000;
    private const int CommonRegion = 0x0000;
    private const int IsrRegion = 0x1000;
    private const int DeviceRegion = 0x2000;
    private const int NotifyRegion = 0x3000;
    private const int RegionSize = 0x1000;
    private const int NotifyMultiplier = 4;
    private const int InterruptPinA = 1;

    // Fixed configuration.
    private readonly VirtioDevice _device;
    private readonly MsixCapability _msix;
    private readonly int _pciAccess;
    private readonly int _legacyBytes;

    // Volatile (saved) state.
    private readonly ushort[] _queueVectors;
    private ushort _configVector = VirtioPci.NoVector;
    private uint _deviceFeatureSelect;
    private uint _driverFeatureSelect;
    private ushort _queueSelect;
    private byte _isr;

    public VirtioPciFunction(VirtioDevice device)
        : base(IdentityOf(device))
    {
        _device = device;
        device.Transport = this;
        _queueVectors = new ushort[device.QueueCount];
        AddInterruptPin(InterruptPinA);

        // One vector for each queue and one for configuration changes.
        _msix = AddMsix(MsixBar, device.QueueCount + 1);
        AddMemoryBar(RegisterBar, RegisterBarSize, this);
        _legacyBytes = (int)BitOperations.RoundUpToPowerOf2((uint)(VirtioPci.LegacyConfigWithMsix + device.ConfigLength));
        AddPortBar(LegacyBar, (uint)_legacyBytes, this);
        AddVirtioCapability(VirtioPci.ConfigTypeCommon, VirtioPci.CapabilityLength, CommonRegion, VirtioPci.CommonLength);
        int notify = AddVirtioCapability(VirtioPci.ConfigTypeNotify, VirtioPci.CapabilityNotifyLength, NotifyRegion, NotifyMultiplier * device.QueueCount);
        Config.Define(notify + VirtioPci.CapabilityNotifyMultiplier, 4, NotifyMultiplier);
        AddVirtioCapability(VirtioPci.ConfigTypeIsr, VirtioPci.CapabilityLength, IsrRegion, 1);
        if (device.ConfigLength > 0)
        {
            AddVirtioCapability(VirtioPci.ConfigTypeDevice, VirtioPci.CapabilityLength, DeviceRegion, device.ConfigLength);
        }

        // 4.1.4.9: the driver says where, then reaches the BAR through configuration space.
        _pciAccess = AddVirtioCapability(VirtioPci.ConfigTypePciAccess, VirtioPci.CapabilityPciConfigLength, 0, 0);
        Config.Define(_pciAccess + VirtioPci.CapabilityBar, 1, 0, 0xFF);
        Config.Define(_pciAccess + VirtioPci.CapabilityOffset, 4, 0, uint.MaxValue);
        Config.Define(_pciAccess + VirtioPci.CapabilityRegionLength, 4, 0, uint.MaxValue);
        Config.Define(_pciAccess + VirtioPci.CapabilityPciConfigData, 4, 0, uint.MaxValue);
    }

    public VirtioDevice Device => _device;

    public bool AllowsDma => IsBusMaster;

    public void InterruptQueue(int queue) => Interrupt(_queueVectors[queue], VirtioPci.IsrQueue);

    public void InterruptConfig() => Interrupt(_configVector, VirtioPci.IsrConfig);

    public ulong ReadMmio(ulong offset, int size)
    {
        int within = (int)(offset % RegionSize);
        switch (offset - (ulong)within)
        {
            case CommonRegion:
                return ReadCommon(within, size);
            case DeviceRegion:
                return ReadDevice(within, size);
            case IsrRegion when within == 0:
                return ReadIsr();
            default:
                return 0;
        }
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        int within = (int)(offset % RegionSize);
        switch (offset - (ulong)within)
        {
            case CommonRegion when size == 8:
                WriteCommon(within, 4, (uint)value);
                WriteCommon(within + 4, 4, (uint)(value >> 32));
                break;
            case CommonRegion:
                WriteCommon(within, size, (uint)value);
                break;
            case DeviceRegion when size <= 4:
                _device.WriteConfig(within, size, (uint)value);
                break;
            case NotifyRegion when within % NotifyMultiplier == 0:
                _device.Notify(within / NotifyMultiplier);
                break;
        }
    }

    protected override void ResetDevice()
    {
        ResetVirtio();
        _device.PowerOn();
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("config-vector", ref _configVector);
        for (int i = 0; i < _queueVectors.Length; i++)
        {
            visitor.Value(VectorName(i), ref _queueVectors[i]);
        }

        visitor.Value("device-feature-select", ref _deviceFeatureSelect);
        visitor.Value("driver-feature-select", ref _driverFeatureSelect);
        visitor.Value("queue-select", ref _queueSelect);
        visitor.Value("isr", ref _isr);
        visitor.Part("virtio", _device);
    }

    protected override void OnBusMasterEnabled() => _device.Resume();

    protected override void OnConfigRead(int offset, int size)
    {
        if (TouchesAccessData(offset, size) && TryAccessWindow(out uint at, out int length))
        {
            Config.Set(_pciAccess + VirtioPci.CapabilityPciConfigData, 4, (uint)ReadMmio(at, length));
        }
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if (TouchesAccessData(offset, size) && TryAccessWindow(out uint at, out int length))
        {
            WriteMmio(at, length, Config.Read(_pciAccess + VirtioPci.CapabilityPciConfigData, length));
        }
    }

    // Before the legacy interface, devices had the identity of non-transitional ones.
    protected override bool WasSavedAs(ushort vendorId, ushort deviceId) =>
        vendorId == VirtioPci.VendorId && deviceId == VirtioPci.DeviceIdBase + _device.Type;

    private static PciIdentity IdentityOf(VirtioDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return new PciIdentity(
            VirtioPci.VendorId,
            device.Type switch
            {
                VirtioDeviceType.Block => VirtioPci.TransitionalBlockId,
                VirtioDeviceType.Console => VirtioPci.TransitionalConsoleId,
                VirtioDeviceType.Entropy => VirtioPci.TransitionalEntropyId,
                _ => throw new ArgumentException($"Virtio devices of type {device.Type} have no transitional PCI identity.", nameof(device)),
            },
            device.ClassCode,
            VirtioPci.TransitionalRevision,
            VirtioPci.VendorId,
            device.Type);
    }

    private static string VectorName(int queue) => "queue-vector-" + queue.ToString(CultureInfo.InvariantCulture);

    private int AddVirtioCapability(byte type, int length, int offset, int regionLength)
    {
        int at = Config.AddCapability(PciCapabilityId.VendorSpecific, length);
        Config.Define(at + VirtioPci.CapabilityCapLen, 1, (uint)length);
        Config.Define(at + VirtioPci.CapabilityConfigType, 1, type);
        Config.Define(at + VirtioPci.CapabilityBar, 1, RegisterBar);
        Config.Define(at + VirtioPci.CapabilityOffset, 4, (uint)offset);
        Config.Define(at + VirtioPci.CapabilityRegionLength, 4, (uint)regionLength);
        return at;
    }

    private bool TouchesAccessData(int offset, int size) =>
        offset + size > _pciAccess + VirtioPci.CapabilityPciConfigData && offset < _pciAccess + VirtioPci.CapabilityPciConfigData + 4;

    private bool TryAccessWindow(out uint offset, out int length)
    {
        uint bar = Config.Read(_pciAccess + VirtioPci.CapabilityBar, 1);
        uint asked = Config.Read(_pciAccess + VirtioPci.CapabilityRegionLength, 4);
        offset = Config.Read(_pciAccess + VirtioPci.CapabilityOffset, 4);
        length = (int)(asked & 7);
        return bar == RegisterBar && asked is 1 or 2 or 4 && offset % asked == 0 && offset <= RegisterBarSize - asked;
    }

    private byte ReadIsr()
    {
        byte isr = _isr;
        _isr = 0;
        SetInterrupt(false);
        return isr;
    }

    private void Interrupt(ushort vector, byte isr)
    {
        if (_msix.IsEnabled)
        {
            _msix.Raise(vector);
        }
        else
        {
            _isr |= isr;
            SetInterrupt(true);
        }
    }

    private void ResetVirtio()
    {
        _device.Reset();
        _configVector = VirtioPci.NoVector;
        Array.Fill(_queueVectors, VirtioPci.NoVector);
        _deviceFeatureSelect = 0;
        _driverFeatureSelect = 0;
        _queueSelect = 0;
        _isr = 0;
        SetInterrupt(false);
    }

    private Virtqueue? SelectedQueue() => _queueSelect < _device.QueueCount ? _device.Queue(_queueSelect) : null;

    private ulong ReadCommon(int offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)ReadCommonByte(offset + i) << (8 * i);
        }

        return value;
    }

    private ulong ReadDevice(int offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)_device.ReadConfig(offset + i) << (8 * i);
        }

        return value;
    }

    // Registers read by byte, so that any size and alignment works: none of them changes by being read.
    private byte ReadCommonByte(int offset)
    {
        if (offset >= VirtioPci.CommonLength)
        {
            return 0;
        }

        Virtqueue? queue = SelectedQueue();
        (int register, ulong value) = offset switch
        {
            < VirtioPci.DeviceFeature => (VirtioPci.DeviceFeatureSelect, _deviceFeatureSelect),
            < VirtioPci.DriverFeatureSelect => (VirtioPci.DeviceFeature, Half(_device.OfferedFeatures, _deviceFeatureSelect)),
            < VirtioPci.DriverFeature => (VirtioPci.DriverFeatureSelect, _driverFeatureSelect),
            < VirtioPci.ConfigMsixVector => (VirtioPci.DriverFeature, Half(_device.DriverFeatures, _driverFeatureSelect)),
            < VirtioPci.NumQueues => (VirtioPci.ConfigMsixVector, _configVector),
            < VirtioPci.DeviceStatus => (VirtioPci.NumQueues, (ulong)_device.QueueCount),
            VirtioPci.DeviceStatus => (VirtioPci.DeviceStatus, _device.Status),
            VirtioPci.ConfigGeneration => (VirtioPci.ConfigGeneration, _device.ConfigGeneration),
            < VirtioPci.QueueSize => (VirtioPci.QueueSelect, _queueSelect),
            < VirtioPci.QueueMsixVector => (VirtioPci.QueueSize, (ulong)(queue?.Size ?? 0)),
            < VirtioPci.QueueEnable => (VirtioPci.QueueMsixVector, queue is null ? VirtioPci.NoVector : _queueVectors[queue.Index]),
            < VirtioPci.QueueNotifyOffset => (VirtioPci.QueueEnable, queue is { IsEnabled: true } ? 1UL : 0UL),
            < VirtioPci.QueueDescriptors => (VirtioPci.QueueNotifyOffset, (ulong)(queue?.Index ?? 0)),
            < VirtioPci.QueueDriver => (VirtioPci.QueueDescriptors, queue?.DescriptorArea ?? 0),
            < VirtioPci.QueueDevice => (VirtioPci.QueueDriver, queue?.DriverArea ?? 0),
            _ => (VirtioPci.QueueDevice, queue?.DeviceArea ?? 0),
        };
        return (byte)(value >> (8 * (offset - register)));
    }

    private void WriteCommon(int offset, int size, uint value)
    {
        switch (offset, size)
        {
            case (VirtioPci.DeviceFeatureSelect, 4):
                _deviceFeatureSelect = value;
                break;
            case (VirtioPci.DriverFeatureSelect, 4):
                _driverFeatureSelect = value;
                break;
            case (VirtioPci.DriverFeature, 4):
                _device.WriteDriverFeatures(_driverFeatureSelect, value);
                break;
            case (VirtioPci.ConfigMsixVector, 2):
                _configVector = Vector(value);
                break;
            case (VirtioPci.DeviceStatus, 1) when value == 0:
                ResetVirtio();
                break;
            case (VirtioPci.DeviceStatus, 1):
                _device.WriteStatus((byte)value);
                break;
            case (VirtioPci.QueueSelect, 2):
                _queueSelect = (ushort)value;
                break;
            default:
                if (SelectedQueue() is Virtqueue queue)
                {
                    WriteQueue(queue, offset, size, value);
                }

                break;
        }
    }

    private void WriteQueue(Virtqueue queue, int offset, int size, uint value)
    {
        // 4.1.4.3.2: a queue is set up before it is enabled; later writes have no effect.
        switch (offset, size)
        {
            case (VirtioPci.QueueMsixVector, 2):
                _queueVectors[queue.Index] = Vector(value);
                break;
            case (VirtioPci.QueueEnable, 2) when value == 1:
                queue.Enable();
                break;
            case (VirtioPci.QueueSize, 2):
                queue.TrySetSize((int)value);
                break;
            case ( >= VirtioPci.QueueDescriptors and < VirtioPci.CommonLength, 4) when offset % 4 == 0 && !queue.IsEnabled:
                WriteQueueAddress(queue, offset, value);
                break;
        }
    }

    private static void WriteQueueAddress(Virtqueue queue, int offset, uint value)
    {
        int shift = offset % 8 * 8;
        ulong Merge(ulong old) => (old & ~(0xFFFF_FFFFUL << shift)) | ((ulong)value << shift);
        switch (offset & ~7)
        {
            case VirtioPci.QueueDescriptors:
                queue.DescriptorArea = Merge(queue.DescriptorArea);
                break;
            case VirtioPci.QueueDriver:
                queue.DriverArea = Merge(queue.DriverArea);
                break;
            default:
                queue.DeviceArea = Merge(queue.DeviceArea);
                break;
        }
    }

    // 4.1.5.1.2.1: a vector that does not exist reads back as none.
    private ushort Vector(uint value) => value < (uint)_msix.Vectors ? (ushort)value : VirtioPci.NoVector;

    private static uint Half(ulong features, uint select) => select switch
    {
        0 => (uint)features,
        1 => (uint)(features >> 32),
        _ => 0,
    };
}
