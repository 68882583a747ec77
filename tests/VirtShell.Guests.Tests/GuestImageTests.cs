using System;
using System.Buffers.Binary;
using System.Linq;
using VirtShell.Guests.Assembler;
using Xunit;

namespace VirtShell.Guests.Tests;

public sealed class GuestImageTests
{
    private const uint MultibootMagic = 0x1BAD_B002;
    private const uint AddressesValid = 1 << 16;
    private const uint OneMebibyte = 0x10_0000;

    public static TheoryData<string> Names => [.. GuestCatalog.All.Select(guest => guest.Name)];

    [Theory]
    [InlineData("hello")]
    [InlineData("hello64")]
    [InlineData("echo")]
    [InlineData("timer")]
    [InlineData("ticker")]
    [InlineData("compute")]
    [InlineData("memory-hog")]
    [InlineData("port-storm")]
    [InlineData("fuzz")]
    [InlineData("triple-fault")]
    [InlineData("wild-jump")]
    [InlineData("page-fault")]
    [InlineData("busy-loop")]
    [InlineData("halt-forever")]
    [InlineData("attack")]
    public void Catalog_has_the_guest(string name)
    {
        Assert.Equal(name, GuestCatalog.Find(name)?.Name);
        Assert.Equal(name, GuestCatalog.Find(name.ToUpperInvariant())?.Name);
    }

    [Fact]
    public void Unknown_names_find_nothing()
    {
        Assert.Null(GuestCatalog.Find("no-such-guest"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Header_describes_the_image(string name)
    {
        var image = GuestCatalog.Find(name)!.Image.Span;
        uint Field(ReadOnlySpan<byte> bytes, int index) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[(index * 4)..]);

        Assert.Equal(MultibootMagic, Field(image, 0));
        Assert.Equal(AddressesValid, Field(image, 1) & 0xFFFF_0000);
        Assert.Equal(0u, unchecked(Field(image, 0) + Field(image, 1) + Field(image, 2)));
        Assert.Equal(OneMebibyte, Field(image, 3));
        Assert.Equal(OneMebibyte, Field(image, 4));
        Assert.Equal(OneMebibyte + (uint)image.Length, Field(image, 5));
        Assert.InRange(Field(image, 6), Field(image, 5), 2 * OneMebibyte);
        Assert.InRange(Field(image, 7), OneMebibyte, Field(image, 5) - 1);

        // All attacks are in one image.
        Assert.InRange(image.Length, 64, name == "attack" ? 384 << 10 : 4096);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Assembling_again_gives_the_same_bytes(string name)
    {
        var program = Program.Guests.Single(guest => guest.Name == name);
        Assert.Equal(GuestCatalog.Find(name)!.Image.ToArray(), GuestCode.Assemble(program));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Names_and_descriptions_suit_lists(string name)
    {
        var guest = GuestCatalog.Find(name)!;
        Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", guest.Name);
        Assert.EndsWith(".", guest.Description, StringComparison.Ordinal);
        Assert.InRange(guest.Description.Length, 10, 110);
    }
}
