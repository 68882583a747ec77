using System.Collections.Generic;
using VirtShell.Machine.Bus;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class IoBusTests
{
    private readonly IoBus _bus = new();

    [Fact]
    public void Unclaimed_reads_are_all_ones()
    {
        Assert.Equal(0xFFu, _bus.ReadPort(0x123, 1));
        Assert.Equal(0xFFFFu, _bus.ReadPort(0x123, 2));
        Assert.Equal(0xFFFF_FFFFu, _bus.ReadPort(0xFFFE, 4));
        Assert.Equal(ulong.MaxValue, _bus.ReadMmio(0xF000_0000, 8));
        _bus.WritePort(0xFFFF, 4, 1);
        _bus.WriteMmio(ulong.MaxValue, 8, 1);
    }

    [Theory]
    [InlineData(1, 4, "10:1=44 11:1=33 12:1=22 13:1=11")]
    [InlineData(2, 4, "10:2=3344 12:2=1122")]
    [InlineData(4, 4, "10:4=11223344")]
    [InlineData(4, 2, "10:2=3344")]
    [InlineData(2, 1, "10:1=44")]
    public void Wide_writes_are_split_lowest_first(int width, int size, string expected)
    {
        Recorder device = new();
        _bus.MapPorts(0x10, 4, device, width);
        _bus.WritePort(0x10, size, 0x11223344);
        Assert.Equal(expected, string.Join(' ', device.Log));
    }

    [Fact]
    public void Accesses_across_ranges_reach_each_owner()
    {
        Recorder left = new() { Value = 0xA1A2A3A4 };
        Recorder right = new() { Value = 0xB1B2B3B4 };
        _bus.MapPorts(0x10, 2, left, 4);
        _bus.MapPorts(0x13, 1, right, 4);
        Assert.Equal(0xB4FF_A3A4u, _bus.ReadPort(0x10, 4));
        Assert.Equal(["10:2"], left.Log);
        Assert.Equal(["13:1"], right.Log);
    }

    [Fact]
    public void Older_claims_win_and_unmapping_uncovers_younger_ones()
    {
        Recorder older = new() { Value = 1 };
        Recorder younger = new() { Value = 2 };
        _bus.MapPorts(0x20, 2, older);
        _bus.MapPorts(0x20, 4, younger);
        Assert.Equal(1u, _bus.ReadPort(0x20, 1));
        Assert.Equal(2u, _bus.ReadPort(0x22, 1));
        _bus.UnmapPorts(0x20, 2, older);
        Assert.Equal(2u, _bus.ReadPort(0x20, 1));
        _bus.UnmapPorts(0x20, 4, younger);
        Assert.Equal(0xFFu, _bus.ReadPort(0x20, 1));

        _bus.MapMmio(0x1000, 0x1000, older);
        _bus.MapMmio(0x0, 0x4000, younger);
        Assert.Equal(2ul, _bus.ReadMmio(0xFFF, 1));
        Assert.Equal(1ul, _bus.ReadMmio(0x1000, 1));
        Assert.Equal(2ul, _bus.ReadMmio(0x2000, 1));
        _bus.UnmapMmio(0x1000, 0x1000, older);
        Assert.Equal(2ul, _bus.ReadMmio(0x1000, 1));
    }

    [Fact]
    public void Mmio_offsets_count_from_the_range()
    {
        Recorder device = new() { Value = 0x1122_3344_5566_7788 };
        _bus.MapMmio(0xFEC0_0000, 0x100, device);
        Assert.Equal(0x7788ul, _bus.ReadMmio(0xFEC0_0010, 2));
        Assert.Equal(0xFFFF_FFFF_FFFF_8888ul, _bus.ReadMmio(0xFEC0_00FE, 8));
        Assert.Equal(["10:2", "fe:1", "ff:1"], device.Log);
    }

    private sealed class Recorder : IPortHandler, IMmioHandler
    {
        public List<string> Log { get; } = [];

        public ulong Value { get; init; }

        public uint ReadPort(ushort port, int size)
        {
            Log.Add($"{port:x}:{size}");
            return (uint)Value;
        }

        public void WritePort(ushort port, int size, uint value) => Log.Add($"{port:x}:{size}={value:x}");

        public ulong ReadMmio(ulong offset, int size)
        {
            Log.Add($"{offset:x}:{size}");
            return Value;
        }

        public void WriteMmio(ulong offset, int size, ulong value) => Log.Add($"{offset:x}:{size}={value:x}");
    }
}
