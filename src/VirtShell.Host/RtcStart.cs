using System;
using System.Globalization;
using System.Text.Json.Serialization;
using VirtShell.Host.Inventory;

namespace VirtShell.Host;

/// <summary>What the RTC of a VM shows when it is switched on: the host's time of then, or always the same date.</summary>
[JsonConverter(typeof(RtcStartJson))]
public readonly record struct RtcStart
{
    private const string UtcWord = "utc";
    private const string LocalWord = "localtime";

    private static readonly DateTime s_first = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly long _ticks;
    private readonly bool _isLocal;

    private RtcStart(long ticks, bool isLocal)
    {
        _ticks = ticks;
        _isLocal = isLocal;
    }

    /// <summary>The host's time in UTC, or where the VM's clock last stood, if that is later. The default.</summary>
    public static RtcStart Utc => default;

    /// <summary>The same with the host's local time, for systems that keep the RTC that way.</summary>
    public static RtcStart LocalTime => new(0, isLocal: true);

    /// <summary>2026-01-01T00:00:00 at each start: what suites have, so that their runs repeat.</summary>
    public static RtcStart Repeatable => At(new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));

    /// <summary>The date, whole seconds, where it is the same at each start; else null.</summary>
    public DateTime? Fixed => _ticks == 0 ? null : new DateTime(_ticks, DateTimeKind.Utc);

    /// <summary>Always this date and time, from 1970 to 9999; a time of the host's zone becomes UTC, as an RTC keeps it.</summary>
    /// <exception cref="FormatException">The year is not one that a system takes from an RTC.</exception>
    public static RtcStart At(DateTime time)
    {
        DateTime utc = time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : time;
        return utc >= s_first
            ? new RtcStart(utc.Ticks - (utc.Ticks % TimeSpan.TicksPerSecond), isLocal: false)
            : throw new FormatException($"An RTC starts in 1970 at the earliest, not in {utc.Year}.");
    }

    /// <summary>Reads "utc", "localtime", or a date such as 2026-01-01 or 2026-01-01T12:30:00 (UTC unless it names its offset).</summary>
    public static bool TryParse(string? text, out RtcStart value)
    {
        value = default;
        string trimmed = text?.Trim() ?? string.Empty;
        if (trimmed.Equals(UtcWord, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        if (trimmed.Equals(LocalWord, StringComparison.OrdinalIgnoreCase))
        {
            value = LocalTime;
            return true;
        }

        string[] formats = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd HH:mmK", "yyyy-MM-dd HH:mm:ssK"];
        bool read = DateTime.TryParseExact(trimmed, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime time);
        if (!read || time < s_first)
        {
            return false;
        }

        value = At(time);
        return true;
    }

    /// <summary>As <see cref="TryParse"/>; PowerShell converts text by this.</summary>
    /// <exception cref="FormatException">It is neither a word nor a date.</exception>
    public static RtcStart Parse(string text) => TryParse(text, out RtcStart value)
        ? value
        : throw new FormatException($"'{text}' is no start of an RTC. Give utc, localtime, or a date such as 2026-01-01 or 2026-01-01T12:30:00, from 1970 on.");

    /// <summary>What <see cref="TryParse"/> reads.</summary>
    public override string ToString() => Fixed is { } time
        ? time.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture)
        : _isLocal ? LocalWord : UtcWord;

    /// <summary>The date at a start.</summary>
    /// <param name="hostNow">The host's time.</param>
    /// <param name="stood">Where the VM's clock last stood; null where it has none.</param>
    internal DateTime Resolve(DateTimeOffset hostNow, DateTime? stood)
    {
        if (Fixed is { } time)
        {
            return time;
        }

        DateTime now = DateTime.SpecifyKind(_isLocal ? hostNow.LocalDateTime : hostNow.UtcDateTime, DateTimeKind.Utc);
        return stood is { } earliest && earliest > now ? earliest : now;
    }
}
