using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using VirtShell.State.Tests.Formats;
using Xunit;

namespace VirtShell.State.Tests;

/// <summary>What is saved comes back: by name, in any order, from any stream, in both formats; damage is refused.</summary>
public sealed class StateRoundTripTests
{
    [Fact]
    public void Every_kind_of_field_comes_back()
    {
        Sample sample = Sample.Filled();
        Sample copy = new();
        copy.Load(sample.Save());
        Assert.Empty(StateTree.Differences(StateTree.Of(sample), StateTree.Of(copy)));
        Assert.Equal(("grüße", -5, long.MinValue, 2), (copy.Text, copy.Number, copy.Big, copy.Child.SavedVersion));
        Assert.Equal(sample.Save(), copy.Save());
    }

    [Fact]
    public void What_is_absent_keeps_its_value_and_what_is_unknown_is_skipped()
    {
        byte[] state = Saved(static saver =>
        {
            saver.Value("from-the-future", 1);
            using (saver.Section("also-unknown", 9))
            {
                saver.Value("x", 1);
            }

            saver.Value("number", 2);
        });
        Sample sample = Sample.Filled();
        sample.Load(state);
        Sample expected = Sample.Filled();
        expected.Number = 2;
        Assert.True(sample.Child.WasAbsent);
        Assert.Equal(0, sample.Child.SavedVersion);
        Assert.Empty(StateTree.Differences(StateTree.Of(expected), StateTree.Of(sample)));
    }

    [Fact]
    public void Order_does_not_matter()
    {
        byte[] state = Saved(static saver =>
        {
            using (saver.Section("child", 1))
            {
                saver.Value("value", 3);
            }

            saver.Value("masked", 0xFF);
            saver.Value("clamped", 99);
            saver.Value("flag", true);
        });
        Sample sample = new();
        sample.Load(state);
        Assert.Equal((3, 0x0F, 10, true), (sample.Child.Value, sample.Masked, sample.Clamped, sample.Flag));
    }

    [Theory]
    [InlineData("bounded", 11L)]
    [InlineData("bounded", -1L)]
    [InlineData("small", 256L)]
    [InlineData("medium", 0x1_0000L)]
    [InlineData("large", 0x1_0000_0000L)]
    [InlineData("number", 0x8000_0000L)]
    [InlineData("flag", 2L)]
    public void Values_out_of_range_are_refused_by_name(string name, long value)
    {
        byte[] state = Saved(saver => saver.Value(name, value));
        Assert.Contains($"'/{name}'", Assert.Throws<StateFormatException>(() => new Sample().Load(state)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("big", 3)]
    [InlineData("numbers", 11)]
    [InlineData("any", 9)]
    [InlineData("waiting", 5)]
    [InlineData("text", 17)]
    public void Values_of_the_wrong_length_are_refused_by_name(string name, int length)
    {
        byte[] state = Saved(saver => saver.Array(name, new byte[length].AsSpan()));
        Assert.Contains($"'/{name}'", Assert.Throws<StateFormatException>(() => new Sample().Load(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_newer_section_is_refused_by_name()
    {
        byte[] state = Saved(static saver => saver.Section("child", 3).Dispose());
        StateFormatException e = Assert.Throws<StateFormatException>(() => new Sample().Load(state));
        Assert.Contains("/child", e.Message, StringComparison.Ordinal);
        Assert.Contains("version 3", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_required_section_must_be_there()
    {
        Root root = new(visitor => visitor.Part("child", new Sample.Inner(), isRequired: true));
        Assert.Contains("no section '/child'", Assert.Throws<StateFormatException>(() => root.Load(new Sample.Inner().Save())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_thing_has_one_name()
    {
        Root root = new(static visitor =>
        {
            visitor.Value("twice", 1);
            visitor.Value("twice", 2);
        });
        Assert.Contains("/twice", Assert.Throws<InvalidOperationException>(() => StateTree.Of(root)).Message, StringComparison.Ordinal);
    }

    /// <summary>Parts that one version has and the other lacks, and those that are loaded last.</summary>
    [Fact]
    public void Parts_come_and_go()
    {
        List<string> order = [];
        Dictionary<string, long> values = new() { ["a"] = 1, ["b"] = 2, ["c"] = 3, ["d"] = 4 };
        byte[] state = Parts("a", "b", "c", "d").Save();
        order.Clear();
        values = values.ToDictionary(static pair => pair.Key, static _ => 0L);
        values["new"] = 9;
        Parts("a", "b", "new", "d").Load(state);
        Assert.Equal(["d", "b", "a"], order);
        Assert.Equal((1L, 2L, 0L, 4L, 9L), (values["a"], values["b"], values["c"], values["d"], values["new"]));

        Root Parts(params string[] names) => new(visitor => visitor.Parts([.. names.Select(Part)], part => part.Name, last: 2));

        Root Part(string name) => new(
            visitor =>
            {
                order.Add(name);
                values[name] = visitor.Value("value", values[name]);
            },
            name);
    }

    [Fact]
    public void Content_of_any_size_passes_through_a_stream_that_cannot_seek()
    {
        Content content = new(blocks: 40, length: 300_000);
        using MemoryStream packed = new();
        using (GZipStream pack = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            content.Save(pack);
            pack.Write("and more"u8);
        }

        packed.Position = 0;
        Content copy = new(40, 300_000);
        copy.Clear();
        using GZipStream unpack = new(packed, CompressionMode.Decompress);
        copy.Load(unpack);
        Assert.Equal(content.Save(), copy.Save());

        // Not a byte more was read than the state has.
        byte[] rest = new byte[8];
        Assert.Equal(8, unpack.ReadAtLeast(rest, 8));
        Assert.Equal("and more"u8.ToArray(), rest);
    }

    [Fact]
    public void The_first_format_is_read()
    {
        using MemoryStream stream = new();
        FirstFormatWriter writer = new(stream);
        writer.Write("flag", true);
        using (writer.Section("unknown", 9))
        {
            writer.Write("number", 1);
        }

        using (writer.Section("child", 1))
        {
            writer.Write("value", 5);
            writer.Write("later", 6);
        }

        writer.Write("number", -7);
        writer.Write("waiting", [1, 2]);
        Sample sample = new();
        using MemoryStream packed = new();
        using (GZipStream pack = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            pack.Write(stream.ToArray());
        }

        packed.Position = 0;
        using GZipStream unpack = new(packed, CompressionMode.Decompress);
        sample.Load(unpack);
        Assert.Equal((true, 5, 1, -7, 2), (sample.Flag, sample.Child.Value, sample.Child.SavedVersion, sample.Number, sample.Waiting.Count));
    }

    [Fact]
    public void Cut_short_or_damaged_streams_are_refused_not_followed()
    {
        byte[] whole = Sample.Filled().Save();
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.Throws<StateFormatException>(() => new Sample().Load(whole[..length]));
        }

        Random random = new(1);
        for (int i = 0; i < 5000; i++)
        {
            byte[] damaged = (byte[])whole.Clone();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            foreach (Action load in (Action[])[() => new Sample().Load(damaged), () => StateTree.Read(new MemoryStream(damaged))])
            {
                try
                {
                    load();
                }
                catch (StateFormatException)
                {
                    // The one exception that damage may give.
                }
            }
        }
    }

    [Fact]
    public void A_length_is_believed_as_far_as_bytes_follow()
    {
        byte[] state = Saved(static saver => saver.Array("unknown", new byte[9].AsSpan()));
        int at = state.AsSpan().IndexOf("unknown"u8) + "unknown".Length;
        state[at + 4] = 0x7F;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("cut short", Assert.Throws<StateFormatException>(() => new Sample().Load(state)).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
    }

    [Fact]
    public void Sections_nest_to_a_bounded_depth()
    {
        using MemoryStream stream = new();
        stream.Write("VSS2"u8);
        for (int i = 0; i < 100_000; i++)
        {
            stream.Write([1, 1, (byte)'s', 1, 0, 0, 0]);
        }

        Assert.Contains("deeper", Assert.Throws<StateFormatException>(() => new Sample().Load(stream.ToArray())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_have_a_bounded_length()
    {
        StateSaver saver = new(new MemoryStream());
        Assert.Throws<ArgumentException>(() => saver.Value(string.Empty, 1));
        Assert.Throws<ArgumentException>(() => saver.Value(new string('x', 256), 1));
        saver.Value(new string('x', 255), 1);
    }

    [Fact]
    public void Differences_name_the_place_and_both_values()
    {
        Sample first = Sample.Filled();
        Sample second = Sample.Filled();
        second.Number = 11;
        second.Child.Value = -1;
        second.Any = "text"u8.ToArray();
        IReadOnlyList<StateDifference> differences = StateTree.Differences(StateTree.Of(first), StateTree.Read(new MemoryStream(second.Save())));
        Assert.Equal(
            [
                new StateDifference("/number", "-5 (0xfffffffffffffffb)", "11 (0xb)"),
                new StateDifference("/any", "010203", "\"text\""),
                new StateDifference("/child/value", "6", "-1 (0xffffffffffffffff)"),
            ],
            differences);
        Assert.Single(StateTree.Differences(StateTree.Of(first), StateTree.Of(second), limit: 1));
    }

    [Fact]
    public void A_tree_is_written_for_people()
    {
        StringWriter writer = new() { NewLine = "\n" };
        StateTree.Of(Sample.Filled()).WriteTo(writer);
        Assert.Contains("\nbig: -9223372036854775808 (0x8000000000000000)\n", writer.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("masked: 15 (0xf)\nchild\n  value: 6\n", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains(new KeyValuePair<string, string>("/child/value", "6"), StateTree.Of(Sample.Filled()).Values());
    }

    private static byte[] Saved(Action<StateSaver> save)
    {
        using MemoryStream stream = new();
        StateSaver saver = new(stream);
        save(saver);
        saver.Complete();
        return stream.ToArray();
    }

    private sealed class Root(Action<StateVisitor> describe, string name = "") : IStateful
    {
        public string Name { get; } = name;

        public void Describe(StateVisitor visitor) => describe(visitor);
    }

    private sealed class Content : IStateful
    {
        private readonly byte[][] _blocks;

        public Content(int blocks, int length)
        {
            _blocks = new byte[blocks][];
            for (int i = 0; i < blocks; i++)
            {
                new Random(i).NextBytes(_blocks[i] = new byte[length]);
            }
        }

        public void Clear() => Array.ForEach(_blocks, Array.Clear);

        public void Describe(StateVisitor visitor) => visitor.Blocks("block-", new Blocks(_blocks), hexadecimal: true);

        private sealed class Blocks(byte[][] blocks) : StateBlocks
        {
            public override long Next(long number) => number < blocks.Length ? number : -1;

            public override ReadOnlySpan<byte> Read(long number) => blocks[number];

            public override Span<byte> Room(long number, long length) => number < blocks.Length ? blocks[number] : default;
        }
    }
}
