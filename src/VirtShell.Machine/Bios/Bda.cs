namespace VirtShell.Machine.Bios;

/// <summary>Offsets in the BIOS data area, segment 40h (IBM PS/2 and PC BIOS Interface Technical Reference, section 3).</summary>
internal static class Bda
{
    public const int SerialPorts = 0x00;
    public const int ParallelPorts = 0x08;
    public const int ExtendedSegment = 0x0E;
    public const int Equipment = 0x10;
    public const int BaseMemory = 0x13;
    public const int Shift = 0x17;
    public const int Shift2 = 0x18;
    public const int AltNumber = 0x19;
    public const int KeyHead = 0x1A;
    public const int KeyTail = 0x1C;
    public const int KeyBuffer = 0x1E;
    public const int FloppyCalibration = 0x3E;
    public const int FloppyMotor = 0x3F;
    public const int FloppyMotorTimeout = 0x40;
    public const int FloppyStatus = 0x41;
    public const int VideoMode = 0x49;
    public const int Columns = 0x4A;
    public const int PageSize = 0x4C;
    public const int PageStart = 0x4E;
    public const int Cursors = 0x50;
    public const int CursorShape = 0x60;
    public const int ActivePage = 0x62;
    public const int CrtcPort = 0x63;
    public const int ModeControl = 0x65;
    public const int CgaPalette = 0x66;
    public const int ResumePointer = 0x67;
    public const int Ticks = 0x6C;
    public const int Midnight = 0x70;
    public const int Break = 0x71;
    public const int ResetFlag = 0x72;
    public const int DiskStatus = 0x74;
    public const int DiskCount = 0x75;
    public const int ParallelTimeouts = 0x78;
    public const int SerialTimeouts = 0x7C;
    public const int KeyStart = 0x80;
    public const int KeyEnd = 0x82;
    public const int Rows = 0x84;
    public const int CharacterHeight = 0x85;
    public const int VideoControl = 0x87;
    public const int VideoSwitches = 0x88;
    public const int ModeOptions = 0x89;
    public const int DisplayCode = 0x8A;
    public const int FloppyMedia = 0x90;
    public const int FloppyTrack = 0x94;
    public const int KeyMode = 0x96;
    public const int KeyLeds = 0x97;
    public const int WaitPointer = 0x98;
    public const int WaitCount = 0x9C;
    public const int WaitActive = 0xA0;
    public const int VideoSavePointer = 0xA8;

    // Of the reserved bytes: the VBE mode with its flags, 0 where none is set.
    public const int VbeMode = 0xBA;
    public const int PrintScreen = 0x100;
}

/// <summary>Offsets in the extended BIOS data area, in the last kibibyte of base memory: where PCs have something, there; the rest is our own.</summary>
internal static class Ebda
{
    public const int Size = 0x00;

    /// <summary>Far pointer to the mouse's handler.</summary>
    public const int MouseHandler = 0x22;

    /// <summary>Bit 7: enabled; bits 2 to 0: index of the next byte of a packet.</summary>
    public const int MouseIndex = 0x26;

    /// <summary>Bit 7: a handler is set; bits 2 to 0: bytes of a packet less one.</summary>
    public const int MouseFlags = 0x27;
    public const int MousePacket = 0x28;

    /// <summary>Parameters of the first two hard disks, 16 bytes each.</summary>
    public const int DiskParameters = 0x3D;

    /// <summary>Emulation of a disk by a CD: kind (0 for none), drive number, number of the CD.</summary>
    public const int EmulationKind = 0x60;
    public const int EmulationDrive = 0x61;
    public const int EmulationCd = 0x62;
    public const int EmulationSectors = 0x63;
    public const int EmulationHeads = 0x64;
    public const int EmulationCylinders = 0x66;
    public const int EmulationStart = 0x68;
    public const int EmulationLoadSegment = 0x6C;
    public const int EmulationLoadCount = 0x6E;

    /// <summary>Which of the things that can be booted was started last, from 1.</summary>
    public const int BootIndex = 0x80;

    /// <summary>1 from power-on until the reset vector has been passed.</summary>
    public const int IsFresh = 0x81;

    /// <summary>Media that the two floppy drives were last seen with.</summary>
    public const int FloppyMedium = 0x82;

    /// <summary>What the terminal at the other end of the serial line shows: cursor and colours, and how far an escape sequence has come.</summary>
    public const int TerminalRow = 0x90;
    public const int TerminalColumn = 0x91;
    public const int TerminalAttribute = 0x92;
    public const int TerminalEscape = 0x93;
    public const int TerminalEscapeTick = 0x94;

    /// <summary>What 53xx is connected as, and the driver's version.</summary>
    public const int ApmVersion = 0x98;

    /// <summary>When a wait of 86h ends, in nanoseconds since power-on.</summary>
    public const int WaitUntil = 0xA0;

    /// <summary>Stack pointer of the call that waits; 0 for none.</summary>
    public const int Waiter = 0xA8;

    /// <summary>The same of the call that waits for any interrupt.</summary>
    public const int Idler = 0xAC;

    /// <summary>Geometry of each hard disk: heads less one, sectors, cylinders.</summary>
    public const int Geometries = 0x100;
    public const int GeometryLength = 4;
    public const int MostDisks = 32;
}
