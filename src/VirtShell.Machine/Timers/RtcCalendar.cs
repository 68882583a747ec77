namespace VirtShell.Machine.Timers;

/// <summary>A calendar date and time, without the range limits of <see cref="System.DateTime"/>, as a clock chip counts it.</summary>
internal readonly record struct RtcCalendar(int Year, int Month, int Day, int Hour, int Minute, int Second)
{
    private const int SecondsPerDay = 86400;
    private const int DaysPerEra = 146097;

    /// <summary>1 (Sunday) to 7.</summary>
    public int Weekday => (int)((((Days(Year, Month, Day) + 4) % 7) + 7) % 7) + 1;

    /// <summary>Seconds since 1970-01-01; days, hours, minutes and seconds outside their ranges carry over.</summary>
    public long ToSeconds() => (Days(Year, Month, 1) + Day - 1) * SecondsPerDay + (Hour * 3600L) + (Minute * 60L) + Second;

    public static RtcCalendar FromSeconds(long seconds)
    {
        long days = System.Math.DivRem(seconds, SecondsPerDay, out long rest);
        if (rest < 0)
        {
            days--;
            rest += SecondsPerDay;
        }

        // Years begin in March here, so that the leap day comes last.
        days += 719468;
        long era = (days >= 0 ? days : days - (DaysPerEra - 1)) / DaysPerEra;
        long dayOfEra = days - (era * DaysPerEra);
        long yearOfEra = (dayOfEra - (dayOfEra / 1460) + (dayOfEra / 36524) - (dayOfEra / 146096)) / 365;
        long dayOfYear = dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        long shifted = ((5 * dayOfYear) + 2) / 153;
        int day = (int)(dayOfYear - (((153 * shifted) + 2) / 5) + 1);
        int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
        long year = yearOfEra + (era * 400) + (month <= 2 ? 1 : 0);
        return new RtcCalendar((int)(year % 10000), month, day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    }

    private static long Days(int year, int month, int day)
    {
        long y = month <= 2 ? year - 1 : year;
        long era = (y >= 0 ? y : y - 399) / 400;
        long yearOfEra = y - (era * 400);
        long dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5) + day - 1;
        return (era * DaysPerEra) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - 719468;
    }
}
