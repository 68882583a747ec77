using System;

namespace VirtShell.Machine.Timers;

/// <summary>When the alarm comes next (MC146818A datasheet, "Time, Calendar, and Alarm Locations"): computed, since a guest may set one that never comes.</summary>
internal sealed partial class RtcCmos
{
    private const int AnyValue = -1;
    private const int NoValue = -2;
    private const int DaySeconds = 86_400;
    private const int HourSeconds = 3_600;

    // The first second after the given one that matches the alarm registers, in seconds since 1970; long.MaxValue for none.
    private long NextAlarm(long after)
    {
        int alarmHour = AlarmValue(HoursAlarm, Hours, 24);
        int alarmMinute = AlarmValue(MinutesAlarm, Minutes, 60);
        int alarmSecond = AlarmValue(SecondsAlarm, Seconds, 60);
        if (alarmHour == NoValue || alarmMinute == NoValue || alarmSecond == NoValue)
        {
            return long.MaxValue;
        }

        long first = after + 1;
        long ofDay = ((first % DaySeconds) + DaySeconds) % DaySeconds;
        long day = first - ofDay;
        int hour = (int)(ofDay / HourSeconds);
        int minute = (int)(ofDay / 60 % 60);
        int second = (int)(ofDay % 60);

        // From the smallest unit up: what has passed carries into the next, and what a larger unit skips starts the smaller ones again.
        Advance(alarmSecond, ref second, ref minute);
        if (minute == 60)
        {
            minute = 0;
            hour++;
        }

        if (Advance(alarmMinute, ref minute, ref hour))
        {
            second = Math.Max(alarmSecond, 0);
        }

        if (hour == 24)
        {
            hour = 0;
            day += DaySeconds;
        }

        int days = 0;
        if (Advance(alarmHour, ref hour, ref days))
        {
            minute = Math.Max(alarmMinute, 0);
            second = Math.Max(alarmSecond, 0);
        }

        return day + (days * DaySeconds) + (hour * HourSeconds) + (minute * 60) + second;
    }

    // Moves a unit to the value that is wanted of it, with a carry where that has passed; false where it stands there already.
    private static bool Advance(int wanted, ref int unit, ref int carry)
    {
        if (wanted == AnyValue || wanted == unit)
        {
            return false;
        }

        carry += wanted < unit ? 1 : 0;
        unit = wanted;
        return true;
    }

    // The value of a time register at which an alarm register matches: the one that shows the same byte there, in the format of now.
    private int AlarmValue(int alarmRegister, int register, int count)
    {
        byte alarm = _ram[alarmRegister];
        if ((alarm & AlarmDontCare) == AlarmDontCare)
        {
            return AnyValue;
        }

        int value = DecodeByte(register, alarm);
        return (uint)value < (uint)count && Encode(register, new RtcCalendar(0, 1, 1, value % 24, value, value)) == alarm ? value : NoValue;
    }
}
