namespace VirtShell.Machine.Virtio;

/// <summary>The block device's features, configuration and requests (virtio 1.2, 5.2).</summary>
internal static class VirtioBlockSpec
{
    public const ulong FeatureSizeMax = 1UL << 1;
    public const ulong FeatureSegMax = 1UL << 2;
    public const ulong FeatureReadOnly = 1UL << 5;
    public const ulong FeatureBlockSize = 1UL << 6;
    public const ulong FeatureFlush = 1UL << 9;
    public const ulong FeatureTopology = 1UL << 10;
    public const ulong FeatureConfigWce = 1UL << 11;
    public const ulong FeatureDiscard = 1UL << 13;
    public const ulong FeatureWriteZeroes = 1UL << 14;

    // struct virtio_blk_config (5.2.4).
    public const int ConfigCapacity = 0;
    public const int ConfigSizeMax = 8;
    public const int ConfigSegMax = 12;
    public const int ConfigBlockSize = 20;
    public const int ConfigPhysicalBlockExponent = 24;
    public const int ConfigMinimumIoSize = 26;
    public const int ConfigOptimalIoSize = 28;
    public const int ConfigWriteback = 32;
    public const int ConfigMaxDiscardSectors = 36;
    public const int ConfigMaxDiscardSegments = 40;
    public const int ConfigDiscardAlignment = 44;
    public const int ConfigMaxWriteZeroesSectors = 48;
    public const int ConfigMaxWriteZeroesSegments = 52;
    public const int ConfigWriteZeroesMayUnmap = 56;
    public const int ConfigLength = 60;

    // struct virtio_blk_req (5.2.6).
    public const int HeaderLength = 16;
    public const int HeaderSector = 8;
    public const uint TypeIn = 0;
    public const uint TypeOut = 1;
    public const uint TypeFlush = 4;
    public const uint TypeGetId = 8;
    public const uint TypeDiscard = 11;
    public const uint TypeWriteZeroes = 13;
    public const byte StatusOk = 0;
    public const byte StatusIoError = 1;
    public const byte StatusUnsupported = 2;
    public const int IdLength = 20;

    // struct virtio_blk_discard_write_zeroes.
    public const int RangeLength = 16;
    public const int RangeSectors = 8;
    public const int RangeFlags = 12;
    public const uint RangeFlagUnmap = 1;
}
