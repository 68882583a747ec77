using System;
using System.Globalization;

namespace VirtShell.Settings;

/// <summary>Numbers with units, as people write them in suites and on command lines, and back.</summary>
public static class Units
{
    private const double Kibi = 1024;
    private const double Kilo = 1000;
    private const double NanosecondsPerSecond = 1e9;

    /// <summary>Bytes; K, M, G and T count in 1024s, with or without a trailing B or iB.</summary>
    public static bool TryParseSize(string text, out long bytes)
    {
        bytes = 0;
        if (!Split(text, out double number, out string unit))
        {
            return false;
        }

        unit = unit.ToUpperInvariant().Replace("IB", string.Empty, StringComparison.Ordinal).TrimEnd('B');
        return Scale(number, unit, Kibi, out bytes);
    }

    /// <summary>A count; K, M, G (or B) count in 1000s.</summary>
    public static bool TryParseCount(string text, out long count)
    {
        count = 0;
        return Split(text, out double number, out string unit) && Scale(number, unit.ToUpperInvariant(), Kilo, out count);
    }

    /// <summary>Nanoseconds; the unit (ns, us, ms, s, m, h) is required.</summary>
    public static bool TryParseDuration(string text, out long nanoseconds)
    {
        nanoseconds = 0;
        if (!Split(text, out double number, out string unit))
        {
            return false;
        }

        double factor = unit switch
        {
            "ns" => 1,
            "us" or "µs" => 1e3,
            "ms" => 1e6,
            "s" => NanosecondsPerSecond,
            "m" or "min" => 60 * NanosecondsPerSecond,
            "h" => 3600 * NanosecondsPerSecond,
            _ => double.NaN,
        };
        double product = number * factor;
        if (double.IsNaN(product) || product > long.MaxValue / 2)
        {
            return false;
        }

        nanoseconds = (long)Math.Round(product);
        return true;
    }

    /// <summary>A share from a percentage; the sign is required except for 0.</summary>
    public static bool TryParsePercent(string text, out double share)
    {
        share = 0;
        if (!Split(text, out double number, out string unit) || (unit != "%" && number != 0) || (unit is not ("%" or "")) || number > 1000)
        {
            return false;
        }

        share = number / 100;
        return true;
    }

    /// <summary>Bytes as <see cref="TryParseSize"/> reads them, exactly: 256M, 1001.</summary>
    public static string WriteSize(long bytes) => Write(bytes, 1024);

    /// <summary>A count as <see cref="TryParseCount"/> reads it, exactly: 20M, 1024.</summary>
    public static string WriteCount(long count) => Write(count, 1000);

    /// <summary>Nanoseconds as <see cref="TryParseDuration"/> reads them, exactly: 500ms, 90s.</summary>
    public static string WriteDuration(long nanoseconds)
    {
        (string Unit, long Length)[] units = [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)];
        (string unit, long length) = Array.Find(units, u => nanoseconds != 0 ? nanoseconds % u.Length == 0 : u.Unit == "s");
        return (nanoseconds / length).ToString(CultureInfo.InvariantCulture) + unit;
    }

    /// <summary>"38.2 MiB", "512 B".</summary>
    public static string FormatSize(long bytes) => Format(bytes, Kibi, ["B", "KiB", "MiB", "GiB", "TiB"]);

    /// <summary>"2.75 G", "512".</summary>
    public static string FormatCount(long count) => Format(count, Kilo, ["", "K", "M", "G", "T"]).TrimEnd();

    /// <summary>"1.42 s", "350 ms", "2 m 5 s".</summary>
    public static string FormatDuration(long nanoseconds)
    {
        double seconds = nanoseconds / NanosecondsPerSecond;
        return seconds switch
        {
            >= 120 => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 60):0} m {seconds % 60:0} s"),
            >= 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s"),
            >= 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.##} ms"),
            0 => "0 s",
            _ => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0.##} µs"),
        };
    }

    public static string FormatDuration(TimeSpan time) => FormatDuration(time.Ticks * 100);

    public static string FormatPercent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.####} %");

    private static string Write(long value, long step)
    {
        int power = 0;
        while (value != 0 && value % step == 0 && power < 4)
        {
            value /= step;
            power++;
        }

        return value.ToString(CultureInfo.InvariantCulture) + (power == 0 ? string.Empty : "KMGT"[power - 1].ToString());
    }

    private static string Format(long value, double step, string[] units)
    {
        double scaled = value;
        int unit = 0;
        while (Math.Abs(scaled) >= step && unit < units.Length - 1)
        {
            scaled /= step;
            unit++;
        }

        string digits = unit == 0 ? "0" : Math.Abs(scaled) >= 100 ? "0.#" : "0.##";
        return $"{scaled.ToString(digits, CultureInfo.InvariantCulture)} {units[unit]}";
    }

    private static bool Split(string text, out double number, out string unit)
    {
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        int digits = 0;
        while (digits < rest.Length && (char.IsAsciiDigit(rest[digits]) || rest[digits] is '.' or '_'))
        {
            digits++;
        }

        unit = rest[digits..].Trim().ToString();
        string plain = rest[..digits].ToString().Replace("_", string.Empty, StringComparison.Ordinal);
        return double.TryParse(plain, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number);
    }

    private static bool Scale(double number, string unit, double step, out long value)
    {
        value = 0;
        int power = unit switch
        {
            "" => 0,
            "K" => 1,
            "M" => 2,
            "G" => 3,
            "T" => 4,
            _ => -1,
        };
        double product = number * Math.Pow(step, power);
        if (power < 0 || product > long.MaxValue / 2 || product != Math.Floor(product))
        {
            return false;
        }

        value = (long)product;
        return true;
    }
}
