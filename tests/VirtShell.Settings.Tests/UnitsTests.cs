using Xunit;

namespace VirtShell.Settings.Tests;

public sealed class UnitsTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("64K", 65536)]
    [InlineData("128M", 128L << 20)]
    [InlineData("128MB", 128L << 20)]
    [InlineData("128 MiB", 128L << 20)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("1g", 1L << 30)]
    public void Sizes(string text, long bytes)
    {
        Assert.True(Units.TryParseSize(text, out long value));
        Assert.Equal(bytes, value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("1X")]
    [InlineData("0.3")]
    [InlineData("99999999T")]
    [InlineData("1e9")]
    public void Not_sizes(string text) => Assert.False(Units.TryParseSize(text, out _));

    [Theory]
    [InlineData("500ms", 500_000_000)]
    [InlineData("30s", 30_000_000_000)]
    [InlineData("1.5s", 1_500_000_000)]
    [InlineData("2m", 120_000_000_000)]
    [InlineData("10 us", 10_000)]
    public void Durations(string text, long nanoseconds)
    {
        Assert.True(Units.TryParseDuration(text, out long value));
        Assert.Equal(nanoseconds, value);
    }

    [Theory]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("9999999999h")]
    public void Not_durations(string text) => Assert.False(Units.TryParseDuration(text, out _));

    [Theory]
    [InlineData("3G", 3_000_000_000)]
    [InlineData("20M", 20_000_000)]
    [InlineData("5_000", 5_000)]
    public void Counts(string text, long count)
    {
        Assert.True(Units.TryParseCount(text, out long value));
        Assert.Equal(count, value);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0%", 0)]
    [InlineData("0.5%", 0.005)]
    [InlineData("10 %", 0.1)]
    public void Percentages(string text, double share)
    {
        Assert.True(Units.TryParsePercent(text, out double value));
        Assert.Equal(share, value, 9);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("%")]
    [InlineData("5000%")]
    public void Not_percentages(string text) => Assert.False(Units.TryParsePercent(text, out _));

    [Fact]
    public void Formats()
    {
        Assert.Equal("38.25 MiB", Units.FormatSize((38L << 20) + (1 << 18)));
        Assert.Equal("2.75 G", Units.FormatCount(2_750_000_000));
        Assert.Equal("512", Units.FormatCount(512));
        Assert.Equal("1.42 s", Units.FormatDuration(1_420_000_000));
        Assert.Equal("2 m 5 s", Units.FormatDuration(125_000_000_000));
    }
}
