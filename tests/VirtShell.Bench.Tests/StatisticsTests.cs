using System;
using VirtShell.Bench.Results;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed class StatisticsTests
{
    [Theory]
    [InlineData(new[] { 5.0 }, 5, 5, 5, 0)]
    [InlineData(new[] { 9.0, 1, 5 }, 5, 1, 9, 80)]
    [InlineData(new[] { 4.0, 1, 2, 3 }, 2.5, 1, 4, 60)]
    public void A_measure_is_the_median_with_half_the_range(double[] values, double median, double least, double most, double spread)
    {
        Measure measure = Statistics.Of(values)!;

        Assert.Equal(new Measure(median, least, most, values.Length), measure);
        Assert.Equal(spread, measure.SpreadPercent, 6);
    }

    [Fact]
    public void Of_nothing_there_is_no_measure() => Assert.Null(Statistics.Of([]));

    [Fact]
    public void The_geometric_mean_is_the_root_of_the_product() => Assert.Equal(4, Statistics.GeometricMean([2, 8])!.Value, 9);

    [Theory]
    [InlineData(null)]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    public void A_mean_over_something_missing_is_missing(double? value) => Assert.Null(Statistics.GeometricMean([2, value]));

    [Fact]
    public void A_mean_over_nothing_is_missing() => Assert.Null(Statistics.GeometricMean(Array.Empty<double?>()));
}
