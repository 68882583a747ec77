using System;
using System.Collections.Generic;
using Xunit;

namespace VirtShell.Settings.Tests;

public sealed class KindTests
{
    private static readonly NumberKind s_memory = new(NumberUnit.Size, least: 64L << 10, most: 1L << 40, multiple: 4096);

    private static readonly WordKind<DayOfWeek> s_days = new(new("mon-day", DayOfWeek.Monday, "work"), new("sun-day", DayOfWeek.Sunday));

    [Theory]
    [InlineData(NumberUnit.Size, 0, "0")]
    [InlineData(NumberUnit.Size, 1001, "1001")]
    [InlineData(NumberUnit.Size, 256L << 20, "256M")]
    [InlineData(NumberUnit.Size, 1L << 50, "1024T")]
    [InlineData(NumberUnit.Count, 20_000_000, "20M")]
    [InlineData(NumberUnit.Count, 1024, "1024")]
    [InlineData(NumberUnit.Duration, 0, "0s")]
    [InlineData(NumberUnit.Duration, 90_000_000_000, "90s")]
    [InlineData(NumberUnit.Duration, 1_500_000, "1500us")]
    public void A_number_is_written_as_it_is_read(NumberUnit unit, long value, string text)
    {
        NumberKind kind = new(unit);
        Assert.Equal(text, kind.Format(value));
        Assert.True(kind.TryParse(text, out long read));
        Assert.Equal(value, read);
    }

    [Theory]
    [InlineData(64L << 10, null)]
    [InlineData(1L << 40, null)]
    [InlineData(65537, "memory is a multiple of 4K, from 64K to 1T; 65537 is not")]
    [InlineData(4096, "memory is a multiple of 4K, from 64K to 1T; 4K is not")]
    [InlineData(2L << 40, "memory is a multiple of 4K, from 64K to 1T; 2T is not")]
    public void Bounds_are_told_in_words(long value, string? problem) => Assert.Equal(problem, s_memory.Problem("memory", value));

    [Fact]
    public void A_number_without_bounds_is_not_negative() => Assert.Equal("limit is 0 or more; -1 is not", SettingKinds.Count.Problem("limit", -1));

    [Theory]
    [InlineData("mon-day", true, true)]
    [InlineData("MON-DAY", true, true)]
    [InlineData("Monday", false, true)]
    [InlineData("mon_day", false, true)]
    [InlineData("tuesday", false, false)]
    public void A_word_is_read_as_it_is_written_and_loosely_where_that_is_wanted(string text, bool strictly, bool loosely)
    {
        Assert.Equal(strictly, s_days.TryParse(text, out _));
        Assert.Equal(loosely, s_days.TryParseLoosely(text, out DayOfWeek day));
        Assert.Equal(loosely, day == DayOfWeek.Monday);
    }

    [Fact]
    public void Words_are_told_with_their_meanings_as_each_front_end_writes_them()
    {
        Assert.Equal("mon-day (work) or sun-day", s_days.Choices(FrontEnd.Suites));
        Assert.Equal("Monday (work) or Sunday", s_days.Choices(FrontEnd.Cmdlets));
        Assert.Equal("day is one of mon-day, sun-day; Friday is not", s_days.Problem("day", DayOfWeek.Friday));
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", true)]
    [InlineData("True", false)]
    [InlineData("yes", false)]
    public void A_boolean_has_two_words(string text, bool isRead) => Assert.Equal(isRead, SettingKinds.Boolean.TryParse(text, out _));

    [Fact]
    public void A_hash_has_64_digits()
    {
        Assert.True(SettingKinds.Sha256.TryParse(new string('A', 64), out string value));
        Assert.Equal(new string('a', 64), value);
        Assert.False(SettingKinds.Sha256.TryParse(new string('a', 63), out _));
        Assert.NotNull(SettingKinds.Sha256.Problem("hash", new string('g', 64)));
    }

    [Theory]
    [InlineData("18446744073709551615", true)]
    [InlineData("18446744073709551616", false)]
    [InlineData("-1", false)]
    public void A_seed_has_64_bits(string text, bool isRead) => Assert.Equal(isRead, SettingKinds.Seed.TryParse(text, out _));

    [Fact]
    public void Lists_maps_and_records_tell_which_of_their_values_is_wrong()
    {
        Part blank = new();
        Setting<Part, string> name = new(blank, SettingKinds.NonEmptyText, p => p.Name, (p, v) => p with { Name = v! }) { Name = "name", Property = "Name", Title = "name", Meaning = "Its name" };
        Setting<Part, long> size = new(blank, s_memory, p => p.Size, (p, v) => p with { Size = v }) { Name = "size", Property = "Size", Title = "size", Meaning = "Its size" };
        ListOf<Part> list = new(new RecordOf<Part>("a part", [name, size]));

        Assert.Null(list.Problem("part", [new Part { Name = "a" }]));
        Assert.Equal("size of part 2 is a multiple of 4K, from 64K to 1T; 1 is not", list.Problem("part", [new Part { Name = "a" }, new Part { Name = "b", Size = 1 }]));
        Assert.Equal(".name", list.FindNull([new Part { Name = null! }]));
        Assert.Equal(string.Empty, list.FindNull([null!]));
        Assert.Null(list.FindNull([new Part()]));
        Assert.Equal("file '/a' is empty; give it a value, or leave it out", new MapOf<string>("a path", SettingKinds.NonEmptyText).Problem("file", new Dictionary<string, string> { ["/a"] = string.Empty }));
    }

    [Fact]
    public void A_row_knows_its_default_and_tells_of_it()
    {
        Part blank = new();
        Setting<Part, long> size = new(blank, s_memory, p => p.Size, (p, v) => p with { Size = v })
        {
            Name = "size",
            Property = "Size",
            Title = "size",
            Meaning = "Its size",
            OwnDefaults = new Dictionary<FrontEnd, long> { [FrontEnd.Suites] = 1L << 20 },
            Remarks = new Dictionary<FrontEnd, string> { [FrontEnd.Console] = "More is slower." },
        };

        Assert.Equal("Its size: a multiple of 4K, from 64K to 1T. Default 1M.", size.Describe(FrontEnd.Suites));
        Assert.Equal("Its size: a multiple of 4K, from 64K to 1T. More is slower. Default 64K.", size.Describe(FrontEnd.Console));
        Assert.Equal("Its size: a multiple of 4K, from 64K to 1T. Default 64KB.", size.Describe(FrontEnd.Cmdlets));
        Assert.Equal(1L << 20, size.WithDefault(blank, FrontEnd.Suites).Size);
        Assert.Equal(blank, size.WithDefault(blank, FrontEnd.Console));
        Assert.Equal(("--size", "Size", "size", false), (size.Options[0], size.Parameter, size.JsonName, size.IsOptional));
    }

    private sealed record Part
    {
        public string Name { get; init; } = string.Empty;

        public long Size { get; init; } = 64L << 10;
    }
}
