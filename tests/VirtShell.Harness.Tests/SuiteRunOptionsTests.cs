using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class SuiteRunOptionsTests
{
    [Theory]
    [InlineData("1/1", true, 1, 1)]
    [InlineData("2/4", true, 2, 4)]
    [InlineData("0/4", false, 0, 0)]
    [InlineData("5/4", false, 0, 0)]
    [InlineData("x", false, 0, 0)]
    public void Shards_parse(string text, bool valid, int index, int count)
    {
        Assert.Equal(valid, Shard.TryParse(text, out Shard shard));
        if (valid)
        {
            Assert.Equal(new Shard(index, count), shard);
        }
    }

    [Fact]
    public void Every_item_is_in_exactly_one_shard()
    {
        for (int position = 0; position < 20; position++)
        {
            int holders = 0;
            for (int i = 1; i <= 3; i++)
            {
                holders += new Shard(i, 3).Contains(position) ? 1 : 0;
            }

            Assert.Equal(1, holders);
        }
    }

    [Theory]
    [InlineData("crash", "smoke / Crash (x)", true)]
    [InlineData("smoke*", "smoke / Crash (x)", true)]
    [InlineData("crash*", "smoke / Crash (x)", false)]
    [InlineData("*(?)", "smoke / Crash (x)", true)]
    public void Filters(string filter, string name, bool matches) => Assert.Equal(matches, NameFilter.Matches(filter, name));
}
