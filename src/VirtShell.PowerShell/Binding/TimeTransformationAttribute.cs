using System;
using System.Globalization;
using System.Management.Automation;

namespace VirtShell.PowerShell.Binding;

/// <summary>
/// Lets a length of time be given as Hyper-V's cmdlets take it, a number of seconds, or as a TimeSpan, or as text with
/// a unit: 90, 1.5, '500ms', '90s', '5m', '1h', '00:01:30'. A negative number means no limit.
/// </summary>
public sealed class TimeTransformationAttribute : ArgumentTransformationAttribute
{
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        TimeSpan? time = value switch
        {
            TimeSpan span => span,
            string text => Parse(text),
            IConvertible number => FromSeconds(number.ToDouble(CultureInfo.InvariantCulture)),
            _ => null,
        };
        return time ?? throw new ArgumentTransformationMetadataException(
            $"'{value}' is no length of time. Give seconds (90), a unit ('500ms', '90s', '5m', '1h') or a TimeSpan ('00:01:30').");
    }

    /// <summary>Null where <paramref name="text"/> is no length of time.</summary>
    internal static TimeSpan? Parse(string text)
    {
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.Contains(':'))
        {
            return TimeSpan.TryParse(rest, CultureInfo.InvariantCulture, out TimeSpan span) ? span : null;
        }

        double factor = 1;
        if (rest.EndsWith("ms", StringComparison.OrdinalIgnoreCase))
        {
            factor = 0.001;
            rest = rest[..^2];
        }
        else if (rest.Length > 0 && char.IsAsciiLetter(rest[^1]))
        {
            factor = char.ToLowerInvariant(rest[^1]) switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => double.NaN };
            rest = rest[..^1];
        }

        return double.TryParse(rest, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? FromSeconds(number * factor) : null;
    }

    private static TimeSpan? FromSeconds(double seconds) =>
        double.IsNaN(seconds) || seconds > int.MaxValue ? null : seconds < 0 ? System.Threading.Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds);
}
