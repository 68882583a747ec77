using System;
using System.Globalization;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>What carries a virtio device to the guest: PCI here.</summary>
internal interface IVirtioTransport
{
    /// <summary>Whether the device may access guest memory now.</summary>
    bool AllowsDma { get; }

    /// <summary>Tells the driver that a queue has used buffers.</summary>
    void InterruptQueue(int queue);

    /// <summary>Tells the driver that configuration or status changed.</summary>
    void InterruptConfig();
}

/// <summary>
/// A virtio device, whatever carries it: status, feature negotiation, queues and configuration space (virtio 1.2, section 2).
/// A guest that breaks the rules finds the device in need of a reset; nothing it does throws.
/// </summary>
internal abstract class VirtioDevice : IStateful
{
    // A sentence of ours.
    private const int MostFailureBytes = 1 << 10;

    // Fixed configuration.
    private readonly Virtqueue[] _queues;
    [NotState("Fixed when built.")]
    private readonly byte[] _initialConfig;

    // Volatile (saved) state.
    private readonly byte[] _config;

    /// <param name="memory">Guest memory.</param>
    /// <param name="type">Device type (section 5).</param>
    /// <param name="classCode">PCI class code for it.</param>
    /// <param name="features">Feature bits of the device type that are offered.</param>
    /// <param name="config">Device-specific configuration space at reset.</param>
    /// <param name="queueSizes">The largest size of each queue.</param>
    protected VirtioDevice(PhysicalMemory memory, ushort type, uint classCode, ulong features, ReadOnlySpan<byte> config, ReadOnlySpan<int> queueSizes)
    {
        ArgumentNullException.ThrowIfNull(memory);
        Type = type;
        ClassCode = classCode;
        OfferedFeatures = features | VirtioFeature.Version1 | VirtioFeature.RingIndirectDescriptors | VirtioFeature.RingEventIndex;
        _initialConfig = config.ToArray();
        _config = config.ToArray();
        _queues = new Virtqueue[queueSizes.Length];
        for (int i = 0; i < _queues.Length; i++)
        {
            _queues[i] = new Virtqueue(this, memory, i, queueSizes[i]);
        }

        Chain = new DescriptorChain(memory);
    }

    public ushort Type { get; }

    public uint ClassCode { get; }

    public ulong OfferedFeatures { get; }

    /// <summary>Features that the driver has written; final once it has set FEATURES_OK.</summary>
    public ulong DriverFeatures { get; private set; }

    /// <summary>Whether a driver from before virtio 1.0 drives the device, by the legacy interface.</summary>
    public bool IsLegacy { get; private set; }

    /// <summary>The device status field.</summary>
    public byte Status { get; private set; }

    /// <summary>Changes with every change of configuration space that the driver did not make.</summary>
    public byte ConfigGeneration { get; private set; }

    /// <summary>Why the device needs a reset, for people; null while it does not.</summary>
    public string? FailureReason { get; private set; }

    /// <summary>Whether the driver has started the device and it may access memory. Legacy drivers use queues before they say that they are ready.</summary>
    public bool IsRunning => (Status & VirtioStatus.NeedsReset) == 0 && (IsLegacy || (Status & VirtioStatus.DriverOk) != 0) && Transport is { AllowsDma: true };

    public int QueueCount => _queues.Length;

    public int ConfigLength => _config.Length;

    [NotState("Wiring.")]
    internal IVirtioTransport? Transport { get; set; }

    /// <summary>Bytes of one request's buffers at most; a longer one makes the device need a reset.</summary>
    internal virtual long MaximumChainBytes => 64 << 10;

    /// <summary>The buffers of the request in hand.</summary>
    protected DescriptorChain Chain { get; }

    /// <summary>Device-specific configuration space as it is now.</summary>
    protected Span<byte> Config => _config;

    public Virtqueue Queue(int index) => _queues[index];

    /// <summary>Whether a feature has been negotiated.</summary>
    public bool Has(ulong feature) => (DriverFeatures & feature) == feature && (IsLegacy || (Status & VirtioStatus.FeaturesOk) != 0);

    /// <summary>The driver writes the status field: 0 resets, anything else sets bits.</summary>
    public void WriteStatus(byte value)
    {
        if (value == 0)
        {
            Reset();
            return;
        }

        byte before = Status;
        byte next = (byte)(before | (value & ~VirtioStatus.NeedsReset));
        bool sound = (DriverFeatures & ~OfferedFeatures) == 0 && (DriverFeatures & VirtioFeature.Version1) != 0;
        if ((before & VirtioStatus.FeaturesOk) == 0 && !sound)
        {
            // The driver reads the bit back and learns that these features will not do (3.1.1).
            next &= unchecked((byte)~(VirtioStatus.FeaturesOk | VirtioStatus.DriverOk));
        }

        if ((next & VirtioStatus.FeaturesOk) == 0)
        {
            next &= unchecked((byte)~VirtioStatus.DriverOk);
        }

        Status = next;
        if (((before ^ next) & VirtioStatus.DriverOk) != 0)
        {
            Resume();
        }
    }

    /// <summary>A legacy driver writes the status field, which knows no agreement on features (2.1, legacy interface).</summary>
    public void WriteLegacyStatus(byte value)
    {
        if (value == 0)
        {
            Reset();
            return;
        }

        IsLegacy = true;
        bool starts = (Status & VirtioStatus.DriverOk) == 0 && (value & VirtioStatus.DriverOk) != 0;
        Status |= (byte)(value & ~(VirtioStatus.NeedsReset | VirtioStatus.FeaturesOk));
        if (starts)
        {
            Resume();
        }
    }

    /// <summary>A legacy driver writes its features, 32 of them; what is not offered is left out, and nothing changes once it is ready.</summary>
    public void WriteLegacyFeatures(uint value)
    {
        if ((Status & VirtioStatus.DriverOk) == 0)
        {
            IsLegacy = true;
            DriverFeatures = value & OfferedFeatures;
        }
    }

    /// <summary>A legacy driver sets up a queue at a page (2.7.2, legacy interface), or with page 0 gives it up.</summary>
    public void WriteLegacyQueue(int queue, uint page)
    {
        IsLegacy = true;
        _queues[queue].Reset();
        StopQueue(queue);
        if (page != 0)
        {
            _queues[queue].EnableLegacy(page);
        }
    }

    /// <summary>The driver writes one half of its features; ignored once they are final.</summary>
    public void WriteDriverFeatures(uint half, uint value)
    {
        if (half > 1 || (Status & VirtioStatus.FeaturesOk) != 0)
        {
            return;
        }

        int shift = 32 * (int)half;
        DriverFeatures = (DriverFeatures & ~(0xFFFF_FFFFUL << shift)) | ((ulong)value << shift);
    }

    /// <summary>The driver says that a queue has new buffers.</summary>
    public void Notify(int queue)
    {
        if ((uint)queue < (uint)_queues.Length && _queues[queue].IsEnabled && IsRunning)
        {
            QueueNotified(queue);
        }
    }

    /// <summary>Looks at every queue again, after the device was started or got its access to memory back.</summary>
    public void Resume()
    {
        for (int queue = 0; queue < _queues.Length; queue++)
        {
            Notify(queue);
        }
    }

    public byte ReadConfig(int offset) => (uint)offset < (uint)_config.Length ? _config[offset] : (byte)0;

    /// <summary>The driver writes 1, 2 or 4 bytes of configuration space.</summary>
    public void WriteConfig(int offset, int size, uint value)
    {
        if (offset >= 0 && offset + size <= _config.Length)
        {
            ConfigWritten(offset, size, value);
        }
    }

    /// <summary>The machine's reset: besides what the driver's does, what came from outside is forgotten.</summary>
    public void PowerOn()
    {
        Reset();
        PowerOnDevice();
    }

    /// <summary>The driver's reset.</summary>
    public void Reset()
    {
        Status = 0;
        IsLegacy = false;
        DriverFeatures = 0;
        FailureReason = null;
        ConfigGeneration = 0;
        _initialConfig.CopyTo(_config, 0);
        for (int queue = 0; queue < _queues.Length; queue++)
        {
            _queues[queue].Reset();
            StopQueue(queue);
        }

        ResetDevice();
    }

    /// <summary>The driver broke a rule: the device stops until it is reset (2.1.2), and says so.</summary>
    internal void Fail(string reason)
    {
        if ((Status & VirtioStatus.NeedsReset) != 0)
        {
            return;
        }

        FailureReason = reason;
        bool tell = (Status & VirtioStatus.DriverOk) != 0;
        Status |= VirtioStatus.NeedsReset;
        if (tell)
        {
            Transport?.InterruptConfig();
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        Status = visitor.Value("status", Status);
        IsLegacy = visitor.Value("legacy", IsLegacy);
        DriverFeatures = visitor.Value("driver-features", DriverFeatures);
        ConfigGeneration = visitor.Value("config-generation", ConfigGeneration);
        visitor.Array("config", _config.AsSpan());
        string? failure = FailureReason;
        visitor.Text("failure", ref failure, MostFailureBytes);
        FailureReason = failure;
        for (int i = 0; i < _queues.Length; i++)
        {
            visitor.Part(QueueName(i), _queues[i]);
        }

        DescribeDevice(visitor);
    }

    /// <summary>A running device's enabled queue has, or may have, new buffers. Does a small piece of the work, and leaves the rest to a clock event.</summary>
    protected abstract void QueueNotified(int queue);

    /// <summary>A queue was reset: what was taken from it is forgotten.</summary>
    protected abstract void StopQueue(int queue);

    /// <summary>The driver's reset, and part of the machine's, after each queue's.</summary>
    protected virtual void ResetDevice()
    {
    }

    /// <summary>The rest of the machine's reset.</summary>
    protected virtual void PowerOnDevice()
    {
    }

    /// <summary>Shows what the type of device has besides, in the device's own section.</summary>
    protected abstract void DescribeDevice(StateVisitor visitor);

    /// <summary>The driver writes configuration space, within its length; most of it is read-only.</summary>
    protected virtual void ConfigWritten(int offset, int size, uint value)
    {
    }

    private static string QueueName(int index) => "queue-" + index.ToString(CultureInfo.InvariantCulture);
}
