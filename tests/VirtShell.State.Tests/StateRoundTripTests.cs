using System;
using System.IO;
using Xunit;

namespace VirtShell.State.Tests;

public sealed class StateRoundTripTests
{
    [Fact]
    public void ValuesComeBackByName()
    {
        StateReader root = Written(writer =>
        {
            writer.Write("yes", true);
            writer.Write("byte", (byte)0xFE);
            writer.Write("u16", (ushort)0xFEDC);
            writer.Write("u32", 0xFEDCBA98u);
            writer.Write("u64", ulong.MaxValue);
            writer.Write("int", -5);
            writer.Write("long", long.MinValue);
            writer.Write("text", "grüße");
            writer.Write("bytes", new byte[] { 1, 2, 3 });
        });
        Assert.True(root.ReadBoolean("yes"));
        Assert.Equal(0xFE, root.ReadByte("byte"));
        Assert.Equal(0xFEDC, root.ReadUInt16("u16"));
        Assert.Equal(0xFEDCBA98u, root.ReadUInt32("u32"));
        Assert.Equal(ulong.MaxValue, root.ReadUInt64("u64"));
        Assert.Equal(-5, root.ReadInt32("int"));
        Assert.Equal(long.MinValue, root.ReadInt64("long"));
        Assert.Equal("grüße", root.ReadString("text"));
        Assert.Equal(new byte[] { 1, 2, 3 }, root.ReadBytes("bytes"));
    }

    [Fact]
    public void AbsentValuesTakeTheirDefaultAndUnknownOnesAreIgnored()
    {
        StateReader root = Written(writer =>
        {
            writer.Write("from-the-future", 1);
            using (writer.Section("also-unknown", 9))
            {
                writer.Write("x", 1);
            }

            writer.Write("known", 2);
        });
        Assert.Equal(2, root.ReadInt32("known"));
        Assert.Equal(7u, root.ReadUInt32("absent", 7));
        Assert.True(root.ReadBoolean("absent", whenAbsent: true));
        Assert.Equal("d", root.ReadString("absent", "d"));
        Assert.Empty(root.ReadBytes("absent"));
        byte[] kept = [9, 9];
        root.ReadBytes("absent", kept);
        Assert.Equal(new byte[] { 9, 9 }, kept);
        Assert.Null(root.TrySection("absent", 1));
        Assert.False(root.Has("absent"));
    }

    [Fact]
    public void SectionsNest()
    {
        StateReader root = Written(writer =>
        {
            using (writer.Section("a", 2))
            {
                writer.Write("v", 1);
                using (writer.Section("b", 1))
                {
                    writer.Write("v", 2);
                }

                writer.Write("w", 3);
            }

            writer.Write("v", 4);
        });
        StateReader a = root.Section("a", 2);
        Assert.Equal((2, "/a"), (a.Version, a.Path));
        StateReader b = a.Section("b", 1);
        Assert.Equal("/a/b", b.Path);
        Assert.Equal((1, 3, 2, 4), (a.ReadInt32("v"), a.ReadInt32("w"), b.ReadInt32("v"), root.ReadInt32("v")));
    }

    [Fact]
    public void ANewerSectionIsRefusedByName()
    {
        StateReader root = Written(writer => writer.Section("cpu", 3).Dispose());
        StateFormatException e = Assert.Throws<StateFormatException>(() => root.Section("cpu", 2));
        Assert.Contains("/cpu", e.Message);
        Assert.Contains("version 3", e.Message);
        Assert.Contains("no section", Assert.Throws<StateFormatException>(() => root.Section("none", 1)).Message);
    }

    [Fact]
    public void ValuesOfTheWrongSizeOrRangeAreRefused()
    {
        StateReader root = Written(writer =>
        {
            writer.Write("big", 0x1_0000_0000UL);
            writer.Write("bytes", new byte[] { 1, 2, 3 });
        });
        Action[] reads =
        [
            () => root.ReadByte("big"), () => root.ReadUInt16("big"), () => root.ReadUInt32("big"), () => root.ReadInt32("big"),
            () => root.ReadBoolean("big"), () => root.ReadUInt64("bytes"), () => root.ReadBytes("bytes", new byte[4]),
        ];
        Assert.All(reads, read => Assert.Throws<StateFormatException>(read));
    }

    [Fact]
    public void CutShortOrDamagedStreamsAreRefusedNotFollowed()
    {
        using MemoryStream stream = new();
        StateWriter writer = new(stream);
        using (writer.Section("section", 1))
        {
            writer.Write("value", 1UL);
            writer.Write("bytes", new byte[100]);
        }

        byte[] whole = stream.ToArray();
        for (int length = 0; length < whole.Length; length++)
        {
            byte[] cut = whole[..length];
            if (length != 4)
            {
                Assert.Throws<StateFormatException>(() => ReadAll(cut));
            }
        }

        Random random = new(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] damaged = (byte[])whole.Clone();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                ReadAll(damaged);
            }
            catch (StateFormatException)
            {
                // The one exception that damage may give.
            }
        }
    }

    [Fact]
    public void NamesHaveABoundedLength()
    {
        StateWriter writer = new(new MemoryStream());
        Assert.Throws<ArgumentException>(() => writer.Write(string.Empty, 1));
        Assert.Throws<ArgumentException>(() => writer.Write(new string('x', 256), 1));
        writer.Write(new string('x', 255), 1);
    }

    private static void ReadAll(byte[] bytes)
    {
        StateReader section = StateReader.Open(new MemoryStream(bytes)).Section("section", 1);
        section.ReadUInt64("value");
        section.ReadBytes("bytes", new byte[100]);
    }

    private static StateReader Written(Action<StateWriter> write)
    {
        MemoryStream stream = new();
        write(new StateWriter(stream));
        stream.Position = 0;
        return StateReader.Open(stream);
    }
}
