using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>INT 1Ah: ticks, time and date, alarm; IRQ 0 and IRQ 8.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosTime(BiosCpu c, BiosPci pci, BiosWait wait)
{
    private const uint TicksADay = 0x18_00B0;
    private const int Seconds = 0x00;
    private const int SecondsAlarm = 0x01;
    private const int Minutes = 0x02;
    private const int MinutesAlarm = 0x03;
    private const int Hours = 0x04;
    private const int HoursAlarm = 0x05;
    private const int Day = 0x07;
    private const int Month = 0x08;
    private const int Year = 0x09;
    private const int RegisterB = 0x0B;
    private const byte Set = 0x80;
    private const byte AlarmEnable = 0x20;
    private const byte DaylightSaving = 0x01;
    private const byte Hours24 = 0x02;
    private const int SlaveMask = Interrupts.Pic8259Pair.SlavePort + 1;

    public void Call()
    {
        bool isFine = true;
        switch (c.Ah)
        {
            case 0x00:
                uint ticks = c.DataDword(Bda.Ticks);
                (c.Cx, c.Dx) = ((ushort)(ticks >> 16), (ushort)ticks);
                c.Al = c.Data(Bda.Midnight);
                c.SetData(Bda.Midnight, 0);
                break;
            case 0x01:
                c.SetDataDword(Bda.Ticks, ((uint)c.Cx << 16) | c.Dx);
                c.SetData(Bda.Midnight, 0);
                break;
            case 0x02:
                (c.Ch, c.Cl, c.Dh) = (Read(Hours), Read(Minutes), Read(Seconds));
                c.Dl = (byte)(Read(RegisterB) & DaylightSaving);
                break;
            case 0x03:
                Stop();
                Write(Hours, c.Ch);
                Write(Minutes, c.Cl);
                Write(Seconds, c.Dh);
                Go((byte)(c.Dl & DaylightSaving));
                break;
            case 0x04:
                (c.Ch, c.Cl, c.Dh, c.Dl) = (Read(RtcCmos.CenturyRegister), Read(Year), Read(Month), Read(Day));
                break;
            case 0x05:
                Stop();
                Write(RtcCmos.CenturyRegister, c.Ch);
                Write(Year, c.Cl);
                Write(Month, c.Dh);
                Write(Day, c.Dl);
                Go(0);
                break;
            case 0x06:
                isFine = (Read(RegisterB) & AlarmEnable) == 0;
                if (isFine)
                {
                    Write(HoursAlarm, c.Ch);
                    Write(MinutesAlarm, c.Cl);
                    Write(SecondsAlarm, c.Dh);
                    Write(RegisterB, Read(RegisterB) | AlarmEnable);
                    c.Out(SlaveMask, c.In(SlaveMask) & ~1);
                }

                break;
            case 0x07:
                Write(RegisterB, Read(RegisterB) & ~AlarmEnable);
                break;
            case 0xB1:
                isFine = pci.Call();
                break;
            default:
                isFine = false;
                break;
        }

        c.SetCarry(!isFine);
    }

    /// <summary>IRQ 0: the ticks of the day, and the floppies' motors.</summary>
    public void Tick()
    {
        uint ticks = c.DataDword(Bda.Ticks) + 1;
        if (ticks >= TicksADay)
        {
            ticks = 0;
            c.SetData(Bda.Midnight, (byte)(c.Data(Bda.Midnight) + 1));
        }

        c.SetDataDword(Bda.Ticks, ticks);
        byte motor = c.Data(Bda.FloppyMotorTimeout);
        if (motor != 0)
        {
            c.SetData(Bda.FloppyMotorTimeout, (byte)(motor - 1));
            if (motor == 1)
            {
                c.SetData(Bda.FloppyMotor, (byte)(c.Data(Bda.FloppyMotor) & 0xF0));
            }
        }
    }

    /// <summary>IRQ 8, register C in AL; AH tells whether it was the alarm.</summary>
    public void ClockEvent()
    {
        const byte Periodic = 0x40;
        const byte Alarm = 0x20;
        byte cause = c.Al;
        if ((cause & Periodic) != 0)
        {
            wait.Period();
        }

        c.Ah = (byte)((cause & Alarm) != 0 ? 1 : 0);
    }

    private byte Read(int register)
    {
        c.Out(RtcCmos.IndexPort, register);
        return c.In(RtcCmos.IndexPort + 1);
    }

    private void Write(int register, int value)
    {
        c.Out(RtcCmos.IndexPort, register);
        c.Out(RtcCmos.IndexPort + 1, value);
    }

    private void Stop() => Write(RegisterB, Read(RegisterB) | Set);

    private void Go(byte daylight) => Write(RegisterB, (Read(RegisterB) & ~(Set | DaylightSaving)) | Hours24 | daylight);
}
