namespace VirtShell.Machine.Drives;

/// <summary>Registers and bits of the task file (ATA/ATAPI-6, T13/1410D, clause 7).</summary>
internal static class IdeRegister
{
    public const int Data = 0;
    public const int Error = 1;
    public const int Features = 1;
    public const int SectorCount = 2;

    /// <summary>PACKET commands: why the device wants attention.</summary>
    public const int InterruptReason = SectorCount;
    public const int LbaLow = 3;
    public const int LbaMid = 4;
    public const int LbaHigh = 5;
    public const int Device = 6;
    public const int Status = 7;
    public const int Command = 7;
    public const int Count = 8;
}

/// <summary>Status register (7.15).</summary>
internal static class IdeStatus
{
    public const byte Error = 0x01;
    public const byte DataRequest = 0x08;

    /// <summary>Seek complete, as it was called before ATA-4: set whenever the device is ready.</summary>
    public const byte SeekComplete = 0x10;
    public const byte Fault = 0x20;
    public const byte Ready = 0x40;
    public const byte Busy = 0x80;
}

/// <summary>Error register (7.11).</summary>
internal static class IdeError
{
    public const byte Aborted = 0x04;
    public const byte NotFound = 0x10;
    public const byte Uncorrectable = 0x40;

    /// <summary>After a reset or diagnostics: the device passed.</summary>
    public const byte DiagnosticPassed = 0x01;
}

/// <summary>Device control register (7.9) and Device register (7.10).</summary>
internal static class IdeControl
{
    public const byte InterruptDisable = 0x02;
    public const byte SoftReset = 0x04;
    public const byte HighOrderByte = 0x80;

    /// <summary>Device register: device 1, not 0.</summary>
    public const byte DeviceSelect = 0x10;

    /// <summary>Device register: the address is a sector's number, not a cylinder, head and sector.</summary>
    public const byte Lba = 0x40;
}

/// <summary>Interrupt reason of PACKET commands (9.4, 7.13): what the device waits for.</summary>
internal static class IdeReason
{
    public const byte Command = 0x01;
    public const byte ToHost = 0x02;
    public const byte Done = Command | ToHost;
}

/// <summary>Command codes (clause 8). Those that drivers of before ATA-4 use have their old codes beside the new ones.</summary>
internal static class IdeCommand
{
    public const byte DeviceReset = 0x08;
    public const byte Recalibrate = 0x10;
    public const byte RecalibrateLast = 0x1F;
    public const byte ReadSectors = 0x20;
    public const byte ReadSectorsNoRetry = 0x21;
    public const byte ReadSectorsExt = 0x24;
    public const byte ReadDmaExt = 0x25;
    public const byte ReadNativeMaxExt = 0x27;
    public const byte ReadMultipleExt = 0x29;
    public const byte WriteSectors = 0x30;
    public const byte WriteSectorsNoRetry = 0x31;
    public const byte WriteSectorsExt = 0x34;
    public const byte WriteDmaExt = 0x35;
    public const byte WriteMultipleExt = 0x39;
    public const byte WriteVerify = 0x3C;
    public const byte WriteDmaFuaExt = 0x3D;
    public const byte Verify = 0x40;
    public const byte VerifyNoRetry = 0x41;
    public const byte VerifyExt = 0x42;
    public const byte Seek = 0x70;
    public const byte SeekLast = 0x7F;
    public const byte Diagnostic = 0x90;
    public const byte InitializeParameters = 0x91;
    public const byte OldStandbyImmediate = 0x94;
    public const byte OldIdleImmediate = 0x95;
    public const byte OldStandby = 0x96;
    public const byte OldIdle = 0x97;
    public const byte OldCheckPower = 0x98;
    public const byte OldSleep = 0x99;
    public const byte Packet = 0xA0;
    public const byte IdentifyPacket = 0xA1;
    public const byte ReadMultiple = 0xC4;
    public const byte WriteMultiple = 0xC5;
    public const byte SetMultiple = 0xC6;
    public const byte ReadDma = 0xC8;
    public const byte ReadDmaNoRetry = 0xC9;
    public const byte WriteDma = 0xCA;
    public const byte WriteDmaNoRetry = 0xCB;
    public const byte WriteMultipleFuaExt = 0xCE;
    public const byte StandbyImmediate = 0xE0;
    public const byte IdleImmediate = 0xE1;
    public const byte Standby = 0xE2;
    public const byte Idle = 0xE3;
    public const byte ReadBuffer = 0xE4;
    public const byte CheckPower = 0xE5;
    public const byte Sleep = 0xE6;
    public const byte FlushCache = 0xE7;
    public const byte WriteBuffer = 0xE8;
    public const byte FlushCacheExt = 0xEA;
    public const byte Identify = 0xEC;
    public const byte SetFeatures = 0xEF;
    public const byte ReadNativeMax = 0xF8;
}
