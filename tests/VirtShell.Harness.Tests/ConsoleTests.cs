using System;
using System.Text;
using VirtShell.Harness.Console;
using VirtShell.Harness.Model;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class ConsoleTests
{
    [Theory]
    [InlineData("plain\r\n", "plain\n")]
    [InlineData("a\x1b[1;31mb\x1b[0mc", "abc")]
    [InlineData("\x1b[?2004h~ # ", "~ # ")]
    [InlineData("\x1b[6n# ", "# ")]
    [InlineData("\x1b]0;title\x07# ", "# ")]
    [InlineData("\x1b]0;title\x1b\\# ", "# ")]
    [InlineData("\x1b(B\x1b=x", "x")]
    [InlineData("tab\tbell\x07nul\0", "tab\tbellnul")]
    [InlineData("grün → ok", "grün → ok")]
    public void Terminal_control_is_taken_out(string sent, string expected) => Assert.Equal(expected, Clean(sent));

    [Fact]
    public void A_sequence_that_never_ends_swallows_only_so_much()
    {
        string text = Clean("\x1b]" + new string('x', 1000) + "end");

        Assert.EndsWith("end", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log[    2.345678] virtio_blk virtio1: [vda]\r\nin: ", "login: ")]
    [InlineData("~ # [   12.000001] random: crng init done\r\n", "~ # ")]
    [InlineData("[    0.000000] Linux version\nhello\n", "hello\n")]
    [InlineData("[    0.000000][    T1] Linux version\nhello\n", "hello\n")]
    [InlineData("a [1] b", "a [1] b")]
    [InlineData("a [1.5] b", "a [1.5] b")]
    [InlineData("[  OK  ] Started", "[  OK  ] Started")]
    [InlineData("[[    1.000000] x\ny", "[y")]
    [InlineData("[123456789012345678901234567890", "[123456789012345678901234567890")]
    public void Kernel_messages_are_taken_out(string sent, string expected)
    {
        ConsoleText text = Feed(sent);
        text.Finish();

        Assert.Equal(expected, text.User.Slice(0, text.User.End).ToString());
    }

    [Theory]
    [InlineData("the login: prompt", "login:", true)]
    [InlineData("log[    2.345678] x\r\nin:", "login:", true)]
    [InlineData("[    2.345678] x: ready\r\n", "x: ready", true)]
    [InlineData("two\r\nlines", "two\nlines", true)]
    [InlineData("logi", "login:", false)]
    public void Text_is_found_in_either_stream(string sent, string wanted, bool found)
    {
        var text = new ConsoleText();
        var matcher = new ConsoleMatcher(text, TextPattern.FromText(wanted), 0);
        bool matched = false;
        foreach (byte value in Encoding.UTF8.GetBytes(sent))
        {
            text.Feed(value);
            matched |= matcher.Advance();
        }

        Assert.Equal(found, matched);
    }

    [Fact]
    public void A_match_in_what_is_already_there_ends_where_it_would_have_live()
    {
        const string Sent = "one ok\ntwo ok three\nfour ok\n";
        ConsoleText live = new();
        var liveMatcher = new ConsoleMatcher(live, TextPattern.FromRegex("t.* ok"), 0);
        long liveEnd = -1;
        foreach (byte value in Encoding.UTF8.GetBytes(Sent))
        {
            live.Feed(value);
            if (liveEnd < 0 && liveMatcher.Advance())
            {
                liveEnd = liveMatcher.MatchEndByte;
            }
        }

        ConsoleText late = Feed(Sent);
        var lateMatcher = new ConsoleMatcher(late, TextPattern.FromRegex("t.* ok"), 0);

        Assert.True(lateMatcher.Advance());
        Assert.Equal("one ok\ntwo ok".Length, liveEnd);
        Assert.Equal(liveEnd, lateMatcher.MatchEndByte);
    }

    [Theory]
    [InlineData("login: ", "login: $", false, -1)]
    [InlineData("login: ", "login: $", true, 7)]
    [InlineData("login: |root\n", "login: $", false, 7)]
    [InlineData("login: root\n", "login: $", false, -1)]
    [InlineData("a line\nlogin: root\n", "login", false, 12)]
    public void A_regular_expression_is_looked_for_at_line_ends_and_pauses(string sent, string expression, bool pausing, long end)
    {
        var text = new ConsoleText();
        var matcher = new ConsoleMatcher(text, TextPattern.FromRegex(expression), 0);
        foreach (char c in sent)
        {
            if (c == '|')
            {
                text.MarkPause();
                continue;
            }

            text.Feed((byte)c);
            matcher.Advance();
        }

        matcher.Advance(pausing);
        Assert.Equal(end, matcher.MatchEndByte);
    }

    [Fact]
    public void A_line_without_end_is_looked_at_every_few_characters()
    {
        var text = new ConsoleText();
        var matcher = new ConsoleMatcher(text, TextPattern.FromRegex("needle"), 0);
        long found = -1;
        foreach (char c in new string('x', 1000) + "needle" + new string('y', 1000))
        {
            text.Feed((byte)c);
            if (found < 0 && matcher.Advance())
            {
                found = text.ByteCount;
            }
        }

        Assert.Equal(1006, matcher.MatchEndByte);
        Assert.InRange(found, 1006, 1006 + StreamMatcher.Stride);
    }

    [Fact]
    public void A_regular_expression_does_not_reach_over_a_line_s_end()
    {
        var matcher = new ConsoleMatcher(Feed("a\nb"), TextPattern.FromRegex("a[^x]b"), 0);

        Assert.False(matcher.Advance());
    }

    [Fact]
    public void Old_output_is_dropped_and_positions_stay_valid()
    {
        var stream = new TextStream();
        for (int i = 0; i < 3_000_000; i++)
        {
            stream.Append((char)('a' + (i % 26)), i);
        }

        Assert.Equal(3_000_000, stream.End);
        Assert.True(stream.First > 0);
        Assert.Equal((char)('a' + (2_999_999 % 26)), stream[stream.End - 1]);
        Assert.Equal(2_900_000, stream.PositionAt(2_900_000));
    }

    [Theory]
    [InlineData("a\0b", "a\u2400b")]
    [InlineData("a\r\nb", "a\nb")]
    [InlineData("a\r\r\nb", "a\nb")]
    [InlineData("a\x1b[0m", "a\u241b[0m")]
    [InlineData("\U0001F600", "\U0001F600")]
    public void Logs_are_made_safe(string text, string safe) => Assert.Equal(safe, Printable.Log(text));

    [Fact]
    public void Lone_surrogates_and_noncharacters_are_replaced() => Assert.Equal("\uFFFD\uFFFDx", Printable.Log("\uFFFE\uD800x"));

    private static ConsoleText Feed(string sent)
    {
        var text = new ConsoleText();
        foreach (byte value in Encoding.UTF8.GetBytes(sent))
        {
            text.Feed(value);
        }

        return text;
    }

    private static string Clean(string sent)
    {
        ConsoleText text = Feed(sent);
        text.Finish();
        return text.Clean.Slice(0, text.Clean.End).ToString();
    }
}
