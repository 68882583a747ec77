namespace VirtShell.Machine.Virtio;

/// <summary>Device types (Virtual I/O Device 1.2, section 5).</summary>
internal static class VirtioDeviceType
{
    public const ushort Block = 2;
    public const ushort Console = 3;
    public const ushort Entropy = 4;
}

/// <summary>Bits of the device status field (virtio 1.2, 2.1).</summary>
internal static class VirtioStatus
{
    public const byte Acknowledge = 1;
    public const byte Driver = 2;
    public const byte DriverOk = 4;
    public const byte FeaturesOk = 8;
    public const byte NeedsReset = 64;
    public const byte Failed = 128;
}

/// <summary>Feature bits that do not belong to a device type (virtio 1.2, section 6).</summary>
internal static class VirtioFeature
{
    public const ulong RingIndirectDescriptors = 1UL << 28;
    public const ulong RingEventIndex = 1UL << 29;
    public const ulong Version1 = 1UL << 32;
}

/// <summary>The layout of a split virtqueue (virtio 1.2, 2.7).</summary>
internal static class SplitRing
{
    public const int DescriptorSize = 16;
    public const int DescriptorLength = 8;
    public const int DescriptorFlags = 12;
    public const int DescriptorNext = 14;

    public const ushort DescriptorFlagNext = 1;
    public const ushort DescriptorFlagWrite = 2;
    public const ushort DescriptorFlagIndirect = 4;

    /// <summary>Available ring: flags, idx, ring[size], used_event.</summary>
    public const int AvailableIndex = 2;

    public const int AvailableRing = 4;
    public const ushort AvailableFlagNoInterrupt = 1;

    /// <summary>Used ring: flags, idx, ring[size] of {id, len}, avail_event.</summary>
    public const int UsedIndex = 2;

    public const int UsedRing = 4;
    public const int UsedElementSize = 8;

    /// <summary>The legacy layout's page (2.7.2).</summary>
    public const int LegacyAlignment = 4096;
}

/// <summary>Virtio over PCI (virtio 1.2, 4.1).</summary>
internal static class VirtioPci
{
    public const ushort VendorId = 0x1AF4;
    public const ushort DeviceIdBase = 0x1040;

    // Transitional devices (4.1.2.1, 4.1.2.3): revision 0, and the device type as the subsystem.
    public const ushort TransitionalBlockId = 0x1001;
    public const ushort TransitionalConsoleId = 0x1003;
    public const ushort TransitionalEntropyId = 0x1005;
    public const byte TransitionalRevision = 0;

    // struct virtio_pci_cap (4.1.4).
    public const int CapabilityLength = 16;
    public const int CapabilityNotifyLength = 20;
    public const int CapabilityPciConfigLength = 20;
    public const int CapabilityCapLen = 2;
    public const int CapabilityConfigType = 3;
    public const int CapabilityBar = 4;
    public const int CapabilityOffset = 8;
    public const int CapabilityRegionLength = 12;
    public const int CapabilityNotifyMultiplier = 16;
    public const int CapabilityPciConfigData = 16;

    public const byte ConfigTypeCommon = 1;
    public const byte ConfigTypeNotify = 2;
    public const byte ConfigTypeIsr = 3;
    public const byte ConfigTypeDevice = 4;
    public const byte ConfigTypePciAccess = 5;

    // struct virtio_pci_common_cfg (4.1.4.3).
    public const int DeviceFeatureSelect = 0x00;
    public const int DeviceFeature = 0x04;
    public const int DriverFeatureSelect = 0x08;
    public const int DriverFeature = 0x0C;
    public const int ConfigMsixVector = 0x10;
    public const int NumQueues = 0x12;
    public const int DeviceStatus = 0x14;
    public const int ConfigGeneration = 0x15;
    public const int QueueSelect = 0x16;
    public const int QueueSize = 0x18;
    public const int QueueMsixVector = 0x1A;
    public const int QueueEnable = 0x1C;
    public const int QueueNotifyOffset = 0x1E;
    public const int QueueDescriptors = 0x20;
    public const int QueueDriver = 0x28;
    public const int QueueDevice = 0x30;
    public const int CommonLength = 0x38;

    public const ushort NoVector = 0xFFFF;

    // The legacy interface's registers (4.1.4.10); those of MSI-X are there while it is enabled, and device configuration follows.
    public const int LegacyDeviceFeatures = 0x00;
    public const int LegacyDriverFeatures = 0x04;
    public const int LegacyQueuePage = 0x08;
    public const int LegacyQueueSize = 0x0C;
    public const int LegacyQueueSelect = 0x0E;
    public const int LegacyQueueNotify = 0x10;
    public const int LegacyDeviceStatus = 0x12;
    public const int LegacyIsr = 0x13;
    public const int LegacyConfigVector = 0x14;
    public const int LegacyQueueVector = 0x16;
    public const int LegacyConfigWithoutMsix = 0x14;
    public const int LegacyConfigWithMsix = 0x18;

    // ISR status (4.1.4.5).
    public const byte IsrQueue = 1;
    public const byte IsrConfig = 2;
}
