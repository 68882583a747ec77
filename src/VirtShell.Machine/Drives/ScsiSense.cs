namespace VirtShell.Machine.Drives;

/// <summary>Why a packet command failed (SPC-2, 4.8 and annex C): a sense key, and an additional code with its qualifier.</summary>
internal readonly record struct ScsiSense(byte Key, byte Code, byte Qualifier)
{
    public const byte NotReadyKey = 0x2;
    public const byte IllegalRequestKey = 0x5;

    public static readonly ScsiSense None = default;
    public static readonly ScsiSense NoMediumTrayClosed = new(NotReadyKey, 0x3A, 0x01);
    public static readonly ScsiSense NoMediumTrayOpen = new(NotReadyKey, 0x3A, 0x02);
    public static readonly ScsiSense UnrecoveredRead = new(0x3, 0x11, 0x00);
    public static readonly ScsiSense InvalidCommand = new(IllegalRequestKey, 0x20, 0x00);
    public static readonly ScsiSense AddressOutOfRange = new(IllegalRequestKey, 0x21, 0x00);
    public static readonly ScsiSense InvalidField = new(IllegalRequestKey, 0x24, 0x00);
    public static readonly ScsiSense SavingNotSupported = new(IllegalRequestKey, 0x39, 0x00);
    public static readonly ScsiSense RemovalPrevented = new(IllegalRequestKey, 0x53, 0x02);
    public static readonly ScsiSense WrongTrackMode = new(IllegalRequestKey, 0x64, 0x00);
    public static readonly ScsiSense MediumChanged = new(0x6, 0x28, 0x00);
}

/// <summary>Packet commands (MMC-3, clause 6).</summary>
internal static class ScsiCommand
{
    public const byte TestUnitReady = 0x00;
    public const byte RequestSense = 0x03;
    public const byte Read6 = 0x08;
    public const byte Inquiry = 0x12;
    public const byte ModeSense6 = 0x1A;
    public const byte StartStopUnit = 0x1B;
    public const byte PreventRemoval = 0x1E;
    public const byte ReadCapacity = 0x25;
    public const byte Read10 = 0x28;
    public const byte Seek10 = 0x2B;
    public const byte ReadSubchannel = 0x42;
    public const byte ReadToc = 0x43;
    public const byte ReadHeader = 0x44;
    public const byte PlayAudio10 = 0x45;
    public const byte GetConfiguration = 0x46;
    public const byte PlayAudioMsf = 0x47;
    public const byte GetEventStatus = 0x4A;
    public const byte PauseResume = 0x4B;
    public const byte StopPlay = 0x4E;
    public const byte ReadDiscInformation = 0x51;
    public const byte ReadTrackInformation = 0x52;
    public const byte ModeSense10 = 0x5A;
    public const byte PlayAudio12 = 0xA5;
    public const byte Read12 = 0xA8;
    public const byte ReadCdMsf = 0xB9;
    public const byte SetCdSpeed = 0xBB;
    public const byte MechanismStatus = 0xBD;
    public const byte ReadCd = 0xBE;
}
