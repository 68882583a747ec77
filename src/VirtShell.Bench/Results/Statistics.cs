using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Bench.Results;

/// <summary>Several measurements of one thing.</summary>
/// <param name="Median">The middle one.</param>
/// <param name="Least">The smallest.</param>
/// <param name="Most">The largest.</param>
/// <param name="Count">How many.</param>
public sealed record Measure(double Median, double Least, double Most, int Count)
{
    /// <summary>Half the distance between the extremes, in percent of the median.</summary>
    public double SpreadPercent => Median == 0 ? 0 : (Most - Least) / 2 / Median * 100;
}

/// <summary>What is computed from samples.</summary>
internal static class Statistics
{
    /// <summary>Median and extremes; null where there is nothing. Of an even number the mean of the middle two is the median.</summary>
    public static Measure? Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0)
        {
            return null;
        }

        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Measure(median, sorted[0], sorted[^1], sorted.Length);
    }

    /// <summary>The geometric mean; null where there is nothing, or where any value is missing or not above zero.</summary>
    public static double? GeometricMean(IEnumerable<double?> values)
    {
        double sum = 0;
        int count = 0;
        foreach (double? value in values)
        {
            if (value is not > 0)
            {
                return null;
            }

            sum += Math.Log(value.Value);
            count++;
        }

        return count == 0 ? null : Math.Exp(sum / count);
    }
}
