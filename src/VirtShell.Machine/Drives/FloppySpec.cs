namespace VirtShell.Machine.Drives;

/// <summary>Ports of the floppy controller from its first on (Intel 290166, 82077AA, 2.1), in AT mode.</summary>
internal static class FloppyRegister
{
    public const int DigitalOutput = 2;
    public const int TapeDrive = 3;

    /// <summary>Read: main status; written: data rate select.</summary>
    public const int Status = 4;
    public const int Fifo = 5;

    /// <summary>Read: digital input; written: configuration control.</summary>
    public const int DigitalInput = 7;
}

/// <summary>Bits of the Digital Output and Data Rate Select registers (2.1.3, 2.1.5).</summary>
internal static class FloppyControl
{
    public const byte DriveSelect = 0x03;
    public const byte NotReset = 0x04;
    public const byte Gate = 0x08;
    public const byte Motor0 = 0x10;
    public const byte Rate = 0x03;
    public const byte SoftwareReset = 0x80;
}

/// <summary>Main Status Register (2.1.4).</summary>
internal static class FloppyStatus
{
    public const byte CommandBusy = 0x10;
    public const byte NonDma = 0x20;
    public const byte ToHost = 0x40;
    public const byte Request = 0x80;
}

/// <summary>Status bytes of results (5.1): ST0 to ST3.</summary>
internal static class FloppyResult
{
    public const byte Abnormal = 0x40;
    public const byte Invalid = 0x80;
    public const byte Polling = 0xC0;
    public const byte SeekEnd = 0x20;
    public const byte EquipmentCheck = 0x10;

    // ST1.
    public const byte MissingAddressMark = 0x01;
    public const byte NotWritable = 0x02;
    public const byte NoData = 0x04;
    public const byte Overrun = 0x10;
    public const byte DataError = 0x20;
    public const byte EndOfCylinder = 0x80;

    // ST2.
    public const byte ScanNotSatisfied = 0x04;
    public const byte ScanHit = 0x08;
    public const byte WrongCylinder = 0x10;
    public const byte DataErrorInData = 0x20;
    public const byte ControlMark = 0x40;

    // ST3: two bits are always set.
    public const byte Always = 0x28;
    public const byte Track0 = 0x10;
    public const byte WriteProtected = 0x40;
}

/// <summary>Command codes without their option bits (5.1), and these bits.</summary>
internal static class FloppyCommand
{
    public const byte ReadTrack = 0x02;
    public const byte Specify = 0x03;
    public const byte SenseDrive = 0x04;
    public const byte Write = 0x05;
    public const byte Read = 0x06;
    public const byte Recalibrate = 0x07;
    public const byte SenseInterrupt = 0x08;
    public const byte WriteDeleted = 0x09;
    public const byte ReadId = 0x0A;
    public const byte ReadDeleted = 0x0C;
    public const byte Format = 0x0D;
    public const byte DumpRegisters = 0x0E;
    public const byte Seek = 0x0F;
    public const byte Version = 0x10;
    public const byte ScanEqual = 0x11;
    public const byte Perpendicular = 0x12;
    public const byte Configure = 0x13;
    public const byte Lock = 0x14;
    public const byte Verify = 0x16;
    public const byte ScanLowOrEqual = 0x19;
    public const byte ScanHighOrEqual = 0x1D;

    public const byte Code = 0x1F;
    public const byte MultiTrack = 0x80;
    public const byte Skip = 0x20;
    public const byte RelativeSeek = 0x80;
    public const byte RelativeUp = 0x40;
    public const byte LockBit = 0x80;

    /// <summary>Bytes of a command, the first included; 0 where there is no such command. Bits that a command has no option at do not make it another.</summary>
    public static int LengthOf(byte value) => (value & Code) switch
    {
        Read or Write or ReadDeleted or WriteDeleted or ReadTrack or Verify or ScanEqual or ScanLowOrEqual or ScanHighOrEqual => 9,
        Format => 6,
        Configure when value == Configure => 4,
        Specify when value == Specify => 3,
        Seek => 3,
        SenseDrive or Recalibrate or ReadId or Perpendicular => 2,
        SenseInterrupt or DumpRegisters or Version => (value & 0xE0) == 0 ? 1 : 0,
        Lock => 1,
        _ => 0,
    };
}
