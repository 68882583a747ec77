using System.Linq;
using System.Text;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class PrintableTests
{
    [Theory]
    [InlineData("::add-mask::x", ": :add-mask::x")]
    [InlineData("  \t::set-output name=a::b", "  \t: :set-output name=a::b")]
    [InlineData("a\r\n::error::b", "a\n: :error::b")]
    [InlineData("x ##vso[task.setvariable variable=a]b", "x ##vso [task.setvariable variable=a]b")]
    [InlineData("##[error]x", "## [error]x")]
    [InlineData("###[error]x", "### [error]x")]
    [InlineData("##teamcity[testFailed]", "##teamcity [testFailed]")]
    [InlineData("std::string and a[1] # ## heading [x]", "std::string and a[1] # ## heading [x]")]
    [InlineData("\x1b[31mred\x1b[0m\a\0\x7f\x9b", "␛[31mred␛[0m␇␀␡\uFFFD")]
    [InlineData("a\u202Eb\u2028c\u2066", "a\uFFFDb\uFFFDc\uFFFD")]
    [InlineData("10%\r20%\r\r\n", "10%␍20%\n")]
    public void Logs_give_no_orders(string sent, string shown) => Assert.Equal(shown, Printable.Log(sent));

    [Theory]
    [InlineData("a\nPASS  b", "a\\nPASS  b")]
    [InlineData("a\rb\tc\x1b", "a\\rb\\tc\\x1b")]
    [InlineData("::error::x", ": :error::x")]
    [InlineData("a\u2028b\u202Ec\x85", "a\\u2028b\\u202ec\\x85")]
    [InlineData("\U0001F600", "\U0001F600")]
    public void A_line_stays_one_line(string sent, string shown) => Assert.Equal(shown, Printable.Escape(sent));

    [Theory]
    [InlineData("a\x1b[1;31mb\x1b]0;title\ac\r\nd\b", "abc\nd")]
    [InlineData("10%\r20%", "10%20%")]
    [InlineData("::x:: ##[y]", "::x:: ##[y]")]
    public void Text_is_what_was_sent_without_control(string sent, string shown) => Assert.Equal(shown, Printable.Text(sent));

    [Fact]
    public void A_stream_says_the_same_however_it_is_cut()
    {
        byte[] bytes = Encoding.UTF8.GetBytes("grün \x1b[31mred\x1b[0m\r\n  ::error::x\r\n##vso[task]y \U0001F600\n");
        string whole = new Printable.Stream().Add(bytes);

        var parts = new Printable.Stream();
        Assert.Equal("grün red\n  : :error::x\n##vso [task]y \U0001F600\n", whole);
        Assert.Equal(whole, string.Concat(bytes.Select(b => parts.Add([b]))));
    }

    [Fact]
    public void Json_takes_everything_but_half_pairs()
    {
        // Not as rows: half a pair does not live through a test's name.
        Assert.Equal("a\uFFFD", Printable.Json("a\uD83D"));
        Assert.Equal("\uFFFDa\U0001F600", Printable.Json("\uDE00a\U0001F600"));
        Assert.Equal("a\0\x1b", Printable.Json("a\0\x1b"));
    }

    [Fact]
    public void Cuts_never_halve_a_pair()
    {
        const string Text = "\U0001F600\U0001F600";

        Assert.Equal("\U0001F600", Printable.Head(Text, 3));
        Assert.Equal("\U0001F600", Printable.Tail(Text, 3));
        Assert.Equal(string.Empty, Printable.Tail(Text, 1));
    }

    [Fact]
    public void Html_is_text() => Assert.Equal("&lt;b&gt;&quot;␀", Printable.Html("<b>\"\0"));
}
