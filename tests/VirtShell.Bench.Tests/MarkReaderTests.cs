using System;
using System.Diagnostics;
using System.Linq;
using System.Text;
using VirtShell.Bench.Running;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed class MarkReaderTests
{
    [Fact]
    public void The_time_between_the_marks_is_taken_where_their_lines_end()
    {
        long count = 0;
        double processor = 50;
        var reader = new MarkReader(Contestant.VirtShell, 2) { Count = () => count, ProcessorTime = () => processor };
        Feed(reader, "\n@begin sieve", 0);
        count = 1000;
        Feed(reader, "\r\n", Stopwatch.Frequency);
        count = 5000;
        processor = 350;
        Feed(reader, "\n@end sieve 00ff\n", Stopwatch.Frequency * 3);

        Assert.Equal(new Sample(Contestant.VirtShell, "sieve", 2, 2000, 0xFF, 300, 4000), Assert.Single(reader.Samples));
        Assert.False(reader.IsDone);
    }

    [Fact]
    public void Lines_of_the_kernel_disturb_nothing_and_are_kept_for_messages()
    {
        MarkReader reader = Read("[    1.0] random: crng init done\n\n@begin copy\n[    1.2] clocksource: tsc\n\n@end copy 1\n\n@done\n");

        Assert.Equal("copy", Assert.Single(reader.Samples).Program);
        Assert.Null(reader.Samples[0].Instructions);
        Assert.Equal(["[    1.0] random: crng init done", "[    1.2] clocksource: tsc"], reader.OtherLines);
        Assert.True(reader.IsDone);
        Assert.Null(reader.Error);
    }

    [Fact]
    public void Programs_on_the_host_tell_their_processor_time() => Assert.Equal(2.5, Assert.Single(Read("@begin set\n@end set 1 2500000\n").Samples).ProcessorMilliseconds);

    [Theory]
    [InlineData("@end sieve 1\n")]
    [InlineData("@begin sieve\n@end crc32 1\n")]
    [InlineData("@begin sieve\n@end sieve nothex\n")]
    [InlineData("@begin sieve\n@end sieve\n")]
    public void An_end_without_its_begin_is_no_sample(string text) => Assert.Empty(Read(text).Samples);

    [Theory]
    [InlineData("@begin spawn\n@failed spawn status 8b\n@done\n", "failed spawn status 8b")]
    [InlineData("@begin files\n@error /tmp/x: No space left on device\n", "error /tmp/x: No space left on device")]
    public void What_failed_in_the_guest_is_told(string text, string error) => Assert.Equal(error, Read(text).Error);

    [Fact]
    public void A_flood_is_bounded()
    {
        MarkReader reader = Read(new string('x', 100_000) + "\n" + string.Concat(Enumerable.Range(0, 1000).Select(i => $"line {i}\n")));

        Assert.InRange(reader.OtherLines.Count(), 1, 20);
        Assert.Equal("line 999", reader.OtherLines.Last());
    }

    private static MarkReader Read(string text)
    {
        var reader = new MarkReader(Contestant.Qemu, 1);
        Feed(reader, text, 0);
        return reader;
    }

    private static void Feed(MarkReader reader, string text, long time) => reader.Feed(Encoding.Latin1.GetBytes(text), time);
}
