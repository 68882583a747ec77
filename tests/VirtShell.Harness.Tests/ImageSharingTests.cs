using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Execution;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class ImageSharingTests
{
    // Items with commas, an item's images with +, and ! behind those that it writes.
    [Theory]
    [InlineData("a!,a!,a!", "0 1 2")]
    [InlineData("a,a,a", "0|1|2")]
    [InlineData("a!,b!,a", "0 2|1")]
    [InlineData("a!,b!,a+b,c", "0 1 2|3")]
    [InlineData(",,", "0|1|2")]
    public void Items_that_use_a_written_image_stand_in_one_row(string items, string rows)
    {
        IReadOnlyList<(string, bool)>[] images = [.. items.Split(',').Select(i => (IReadOnlyList<(string, bool)>)[.. i.Split('+').Where(p => p.Length > 0).Select(p => (p.TrimEnd('!'), p.EndsWith('!')))])];

        Assert.Equal(rows, string.Join('|', ImageSharing.Rows(images).Select(r => string.Join(' ', r))));
    }
}
