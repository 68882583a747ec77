namespace VirtShell.Guests.Assembler;

/// <summary>Ports and bits of the PC that the guests use, by their datasheets' names.</summary>
internal static class Hardware
{
    /// <summary>16550A UART, COM1 (National Semiconductor PC16550D, section 8).</summary>
    public const int Com1 = 0x3F8;
    public const int UartData = Com1;
    public const int UartInterruptEnable = Com1 + 1;
    public const int UartInterruptId = Com1 + 2;
    public const int UartFifoControl = Com1 + 2;
    public const int UartLineControl = Com1 + 3;
    public const int UartModemControl = Com1 + 4;
    public const int UartLineStatus = Com1 + 5;
    public const int DivisorLatchAccess = 0x80;
    public const int EightBitsNoParity = 0x03;
    public const int FifoEnableAndClear = 0x07;
    public const int DtrRtsOut2 = 0x0B;
    public const int DataReady = 0x01;
    public const int TransmitHoldingEmpty = 0x20;
    public const int TransmitterEmpty = 0x40;

    /// <summary>8259A interrupt controllers.</summary>
    public const int Pic1Command = 0x20;
    public const int Pic1Data = 0x21;
    public const int Pic2Command = 0xA0;
    public const int Pic2Data = 0xA1;
    public const int PicInitialize = 0x11;
    public const int PicEndOfInterrupt = 0x20;

    /// <summary>The first vector of the remapped interrupt requests.</summary>
    public const int IrqBase = 0x20;

    /// <summary>8254 timer.</summary>
    public const int PitChannel0 = 0x40;
    public const int PitCommand = 0x43;
    public const int PitHz = 1_193_182;

    /// <summary>PIIX4-style power management block (Intel 82371AB, section 7.2; ACPI 6.4, section 4.8.3).</summary>
    public const int Pm1Status = 0x600;
    public const int Pm1Enable = 0x602;
    public const int Pm1Control = 0x604;
    public const int PowerButtonBit = 0x0100;

    /// <summary>The PM timer, of which at least 24 bits count.</summary>
    public const int PmTimer = 0x608;
    public const int PmTimerMask = 0xFF_FFFF;

    /// <summary>The SMI command port and the value that gives ACPI to the guest (FADT: SMI_CMD, ACPI_ENABLE).</summary>
    public const int SmiCommand = 0xB2;
    public const int AcpiEnable = 0xF1;
    public const int SleepEnable = 0x2000;

    /// <summary>SLP_TYP of S5, in bits 12:10 of PM1_CNT.</summary>
    public const int SleepTypeS5 = 0 << 10;

    /// <summary>The debug exit port: a byte written here ends the machine with that code.</summary>
    public const int DebugExit = 0x501;
}
