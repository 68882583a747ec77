using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>Where a wait stands.</summary>
internal enum WaitResult
{
    Waits,
    Done,

    /// <summary>Another one is waited for, which this one has interrupted.</summary>
    Busy,
}

/// <summary>
/// Waits, which are loops of HLT in the ROM: the processor comes back after each interrupt. Which call is waiting is told
/// by its stack pointer, which is the same each time that it comes back.
/// </summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosWait(BiosCpu c)
{
    private const long Microsecond = 1000;
    private const byte PeriodicEnable = 0x40;
    private const byte WaitActive = 0x01;
    private const byte WaitDone = 0x80;
    private const int SlaveMask = Interrupts.Pic8259Pair.SlavePort + 1;

    /// <summary>Waits for microseconds, by interrupts of the real-time clock.</summary>
    public WaitResult For(long microseconds)
    {
        long now = c.Board.Clock.Now;
        uint caller = Caller;
        if (c.Dword(c.Extended(Ebda.Waiter)) == 0)
        {
            if (microseconds == 0)
            {
                return WaitResult.Done;
            }

            SetUntil(now + (microseconds * Microsecond));
            c.SetDword(c.Extended(Ebda.Waiter), caller);
            SwitchPeriodic(isOn: true);
            return WaitResult.Waits;
        }

        if (c.Dword(c.Extended(Ebda.Waiter)) != caller)
        {
            return WaitResult.Busy;
        }

        if (now < Until)
        {
            return WaitResult.Waits;
        }

        End();
        return WaitResult.Done;
    }

    /// <summary>The call that comes back has what it waited for.</summary>
    public void End()
    {
        if (c.Dword(c.Extended(Ebda.Waiter)) != Caller)
        {
            return;
        }

        c.SetDword(c.Extended(Ebda.Waiter), 0);
        if ((c.Data(Bda.WaitActive) & WaitActive) == 0)
        {
            SwitchPeriodic(isOn: false);
        }
    }

    /// <summary>True when an interrupt has come since this call was first asked.</summary>
    public bool ForInterrupt()
    {
        uint caller = Caller;
        if (c.Dword(c.Extended(Ebda.Idler)) == caller)
        {
            c.SetDword(c.Extended(Ebda.Idler), 0);
            return true;
        }

        c.SetDword(c.Extended(Ebda.Idler), caller);
        return false;
    }

    /// <summary>INT 15h 83h: has bit 7 of a byte set when a time has passed, or takes that back; false where one is waited for.</summary>
    public bool Event()
    {
        if (c.Al == 1)
        {
            c.SetData(Bda.WaitActive, 0);
            SwitchPeriodic(isOn: false);
            return true;
        }

        if (c.Al != 0 || (c.Data(Bda.WaitActive) & WaitActive) != 0)
        {
            return false;
        }

        c.SetDataWord(Bda.WaitPointer, c.Bx);
        c.SetDataWord(Bda.WaitPointer + 2, c.Es);
        c.SetDataDword(Bda.WaitCount, ((uint)c.Cx << 16) | c.Dx);
        c.SetData(Bda.WaitActive, WaitActive);
        SwitchPeriodic(isOn: true);
        return true;
    }

    /// <summary>A periodic interrupt of the real-time clock, 1,024 a second.</summary>
    public void Period()
    {
        const uint Period = 976;
        if ((c.Data(Bda.WaitActive) & WaitActive) == 0)
        {
            return;
        }

        uint left = c.DataDword(Bda.WaitCount);
        if (left > Period)
        {
            c.SetDataDword(Bda.WaitCount, left - Period);
            return;
        }

        uint flag = ((uint)c.DataWord(Bda.WaitPointer + 2) << 4) + c.DataWord(Bda.WaitPointer);
        c.SetByte(flag, (byte)(c.Byte(flag) | WaitDone));
        c.SetData(Bda.WaitActive, 0);
        if (c.Dword(c.Extended(Ebda.Waiter)) == 0)
        {
            SwitchPeriodic(isOn: false);
        }
    }

    private uint Caller => ((uint)c.Ss << 16) | c.Sp;

    private long Until => (long)c.Dword(c.Extended(Ebda.WaitUntil)) | ((long)c.Dword(c.Extended(Ebda.WaitUntil + 4)) << 32);

    private void SetUntil(long time)
    {
        c.SetDword(c.Extended(Ebda.WaitUntil), (uint)time);
        c.SetDword(c.Extended(Ebda.WaitUntil + 4), (uint)(time >> 32));
    }

    private void SwitchPeriodic(bool isOn)
    {
        const int RegisterB = 0x0B;
        const byte SlaveRtc = 1 << 0;
        c.Out(RtcCmos.IndexPort, RegisterB);
        byte control = c.In(RtcCmos.IndexPort + 1);
        c.Out(RtcCmos.IndexPort, RegisterB);
        c.Out(RtcCmos.IndexPort + 1, isOn ? control | PeriodicEnable : control & ~PeriodicEnable);
        if (isOn)
        {
            c.Out(SlaveMask, c.In(SlaveMask) & ~SlaveRtc);
        }
    }
}
