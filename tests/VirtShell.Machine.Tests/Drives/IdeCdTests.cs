using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Drives;

/// <summary>CD drives on the IDE controller, as ATA/ATAPI-6 and MMC-3 have them.</summary>
public sealed class IdeCdTests
{
    private const int Sectors = 300;
    private const byte Ready = IdeStatus.Ready | IdeStatus.SeekComplete;
    private const byte WithData = Ready | IdeStatus.DataRequest;
    private const byte Wrong = Ready | IdeStatus.Error;
    private readonly byte[] _content = new byte[Sectors * 2048];
    private readonly TestBoard _board;
    private readonly IdeDriver _cd;

    public IdeCdTests()
    {
        new Random(1).NextBytes(_content);
        _board = new TestBoard(() => [new Drive(DriveKind.Cd, DriveBus.Ide, 2, new ReadOnlyView(new MemoryDisk(_content)), "cd")]);
        _board.UsePic();
        _cd = new IdeDriver(_board, 2);
        _cd.Select();
    }

    private Drive Drive => _board.Drives[0];

    [Fact]
    public void The_signature_of_a_packet_device_stands_after_resets_and_where_a_disk_is_asked_for()
    {
        CheckSignature();
        Assert.Equal(0, _cd.AlternateStatus);
        _cd.Control(4);
        _cd.Control(0);
        Assert.Equal(0, _cd.Wait());
        CheckSignature();
        foreach (byte command in (byte[])[IdeCommand.Identify, IdeCommand.ReadSectors])
        {
            Assert.Equal((Wrong, IdeError.Aborted), ((byte)_cd.Command(command), (byte)_cd[1]));
            CheckSignature();
        }

        // DEVICE RESET stops whatever goes on, without an interrupt.
        _cd.Packet([ScsiCommand.Read10, 0, 0, 0, 0, 0, 0, 0, 5]);
        _ = _cd[7];
        _cd[7] = IdeCommand.DeviceReset;
        Assert.Equal(0, _cd.Wait());
        Assert.False(_cd.IsRequesting);
        CheckSignature();

        void CheckSignature() => Assert.Equal((1, 1, 0x14, 0xEB), (_cd[2], _cd[3], _cd[4], _cd[5]));
    }

    [Fact]
    public void Identify_packet_device_tells_of_a_removable_cd_drive()
    {
        Assert.Equal(WithData, _cd.Command(IdeCommand.IdentifyPacket));
        byte[] answer = _cd.ReadData(512);
        Assert.Equal(0x85C0, BinaryPrimitives.ReadUInt16LittleEndian(answer));
        Assert.Equal(0, answer.Sum(b => b) & 0xFF);
        Assert.Equal(Ready, _cd.AlternateStatus);
    }

    /// <summary>The packet, the first sector, how many, and the most bytes of a block.</summary>
    [Theory]
    [InlineData(new byte[] { 0x08, 0, 0, 7, 3 }, 7, 3, 0xFFFE)]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 0, 9, 0, 0, 40 }, 9, 40, 0xFFFF)]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 0, 9, 0, 0, 2 }, 9, 2, 0)]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 1, 0, 0, 0, 5 }, 256, 5, 2048)]
    [InlineData(new byte[] { 0xA8, 0, 0, 0, 0, 0, 0, 0, 0, 6 }, 0, 6, 4096)]
    [InlineData(new byte[] { 0xBE, 0x08, 0, 0, 0, 1, 0, 0, 2, 0x10 }, 1, 2, 2048)]
    [InlineData(new byte[] { 0xB9, 0, 0, 0, 2, 4, 0, 2, 8, 0x10 }, 4, 4, 2048)]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 0, 3, 0, 0, 2 }, 3, 2, 777)]
    public void Sectors_come_by_port_in_blocks_of_the_given_limit(byte[] packet, int first, int count, int limit)
    {
        Assert.Equal(WithData, _cd.Packet(packet, limit));
        Assert.Equal(IdeReason.ToHost, _cd[IdeRegister.InterruptReason]);
        Assert.True(_cd.IsRequesting);
        (byte[] data, System.Collections.Generic.List<int> blocks) = _cd.ReadBlocks(0);
        Assert.Equal(_content[(first * 2048)..((first + count) * 2048)], data);
        Assert.All(blocks, length => Assert.InRange(length, 1, limit is 0 or 0xFFFF ? 0xFFFE : limit));
        Assert.Equal((Ready, IdeReason.Done), ((byte)_cd.AlternateStatus, (byte)_cd[IdeRegister.InterruptReason]));
        Assert.True(_cd.IsRequesting);
    }

    [Fact]
    public void Sectors_come_by_bus_master()
    {
        _cd.Regions((0x10_0000, 0x8000), (0x20_0000, 0x1_0000), (0x30_0000, (60 * 2048) - 0x1_8000));
        _cd.Packet([ScsiCommand.Read10, 0, 0, 0, 0, 50, 0, 0, 60], dma: true);
        _cd.StartBusMaster(toMemory: true);
        Assert.Equal(Ready, _cd.Wait());
        Assert.Equal(4, _cd.BusMasterStatus & 7);
        Assert.Equal(IdeReason.Done, (byte)_cd[IdeRegister.InterruptReason]);
        byte[] got = new byte[60 * 2048];
        _board.Board.Memory.Read(0x10_0000, got.AsSpan(0, 0x8000));
        _board.Board.Memory.Read(0x20_0000, got.AsSpan(0x8000, 0x1_0000));
        _board.Board.Memory.Read(0x30_0000, got.AsSpan(0x1_8000));
        Assert.Equal(_content[(50 * 2048)..(110 * 2048)], got);
    }

    [Fact]
    public void A_whole_sector_has_sync_header_data_and_room_for_correction()
    {
        byte[] raw = Ask([ScsiCommand.ReadCd, 0, 0, 0, 0, 200, 0, 0, 1, 0xF8]);
        Assert.Equal(2352, raw.Length);
        Assert.Equal([0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0x00, 0x04, 0x50, 0x01], raw[..16]);
        Assert.Equal(_content[(200 * 2048)..(201 * 2048)], raw[16..2064]);
    }

    /// <summary>The packet and the whole answer, as hexadecimal digits.</summary>
    [Theory]
    [InlineData(new byte[] { 0x25 }, "0000012b00000800")]
    [InlineData(new byte[] { 0x43, 0, 0, 0, 0, 0, 0, 0, 100 }, "0012010100140100000000000014aa000000012c")]
    [InlineData(new byte[] { 0x43, 2, 0, 0, 0, 0, 0, 0, 100 }, "0012010100140100000002000014aa0000000600")]
    [InlineData(new byte[] { 0x43, 0, 0, 0, 0, 0, 0xAA, 0, 100 }, "000a01010014aa000000012c")]
    [InlineData(new byte[] { 0x43, 0, 0, 0, 0, 0, 0, 0, 4 }, "00120101")]
    [InlineData(new byte[] { 0x43, 0, 1, 0, 0, 0, 0, 0, 100 }, "000a01010014010000000000")]
    [InlineData(new byte[] { 0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40 }, "000a01010014010000000000")]
    [InlineData(new byte[] { 0x43, 2, 2, 0, 0, 0, 0, 0, 100 }, "002e0101" + "011400a000000000010000" + "011400a100000000010000" + "011400a200000000000600" + "0114000100000000000200")]
    [InlineData(new byte[] { 0x44, 0, 0, 0, 0, 5, 0, 0, 8 }, "0100000000000005")]
    [InlineData(new byte[] { 0x42, 0, 0x00, 1, 0, 0, 0, 0, 100 }, "00150000")]
    [InlineData(new byte[] { 0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8 }, "0006041000020000")]
    [InlineData(new byte[] { 0x4A, 1, 0, 0, 0x02, 0, 0, 0, 8 }, "00028010")]
    [InlineData(new byte[] { 0x46, 2, 0, 0, 0, 0, 0, 0, 100 }, "000000100000000800000308001000000008" + "0100")]
    [InlineData(new byte[] { 0x46, 2, 0, 3, 0, 0, 0, 0, 100 }, "0000000c000000080003030429000000")]
    [InlineData(new byte[] { 0x1A, 0, 0x01, 0, 100 }, "0b0000000106000500000000")]
    [InlineData(new byte[] { 0x5A, 0, 0x01, 0, 0, 0, 0, 0, 100 }, "000e0000000000000106000500000000")]
    [InlineData(new byte[] { 0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8 }, "0000000000000000")]
    [InlineData(new byte[] { 0x03, 0, 0, 0, 18 }, "700000000000000a00000000000000000000")]
    public void Facts_are_answered_as_the_standard_lays_them_out(byte[] packet, string expected) =>
        Assert.Equal(expected, Convert.ToHexString(Ask(packet)).ToLowerInvariant());

    [Fact]
    public void Inquiry_names_a_removable_cd_drive()
    {
        byte[] answer = Ask([ScsiCommand.Inquiry, 0, 0, 0, 36]);
        Assert.Equal([0x05, 0x80, 0x00, 0x21, 31], answer[..5]);
        Assert.StartsWith("VirtShelVirtShell CD", Encoding.ASCII.GetString(answer[8..]), StringComparison.Ordinal);
        Assert.Equal(5, Ask([ScsiCommand.Inquiry, 0, 0, 0, 5]).Length);
    }

    /// <summary>What is refused, with sense key, code and qualifier.</summary>
    [Theory]
    [InlineData(new byte[] { 0x04 }, 5, 0x20, 0)]
    [InlineData(new byte[] { 0x28, 0, 0, 0, 1, 0x2C, 0, 0, 1 }, 5, 0x21, 0)]
    [InlineData(new byte[] { 0x28, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1 }, 5, 0x21, 0)]
    [InlineData(new byte[] { 0xA8, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF }, 5, 0x21, 0)]
    [InlineData(new byte[] { 0x2B, 0, 0, 0, 1, 0x2C }, 5, 0x21, 0)]
    [InlineData(new byte[] { 0x43, 0, 5, 0, 0, 0, 0, 0, 100 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0x43, 0, 0, 0, 0, 0, 2, 0, 100 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0x12, 1, 0, 0, 36 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0x5A, 0, 0x3B, 0, 0, 0, 0, 0, 100 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0x5A, 0, 0xC1, 0, 0, 0, 0, 0, 100 }, 5, 0x39, 0)]
    [InlineData(new byte[] { 0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0x45, 0, 0, 0, 0, 0, 0, 0, 1 }, 5, 0x64, 0)]
    [InlineData(new byte[] { 0xBE, 0x04, 0, 0, 0, 1, 0, 0, 2, 0x10 }, 5, 0x64, 0)]
    [InlineData(new byte[] { 0xBE, 0x00, 0, 0, 0, 1, 0, 0, 2, 0x12 }, 5, 0x24, 0)]
    [InlineData(new byte[] { 0xB9, 0, 0, 0, 0, 4, 0, 2, 8, 0x10 }, 5, 0x21, 0)]
    public void What_cannot_be_is_told_by_sense_data(byte[] packet, int key, int code, int qualifier)
    {
        Assert.Equal(Wrong, _cd.Packet(packet));
        Assert.Equal((key << 4) | IdeError.Aborted, _cd[IdeRegister.Error]);
        Assert.Equal(IdeReason.Done, (byte)_cd[IdeRegister.InterruptReason]);
        Assert.Equal((key, code, qualifier), Sense());

        // It is told once.
        Assert.Equal((0, 0, 0), Sense());
    }

    [Fact]
    public void An_empty_drive_answers_not_ready_and_a_new_medium_is_told_once()
    {
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.TestUnitReady]));
        Drive.Change(null);
        Assert.Equal(3, Ask([ScsiCommand.GetEventStatus, 1, 0, 0, 0x10, 0, 0, 0, 8])[4]);
        foreach (byte command in (byte[])[ScsiCommand.TestUnitReady, ScsiCommand.Read10, ScsiCommand.ReadCapacity, ScsiCommand.ReadToc])
        {
            Assert.Equal(Wrong, _cd.Packet([command]));
            Assert.Equal((2, 0x3A, 1), Sense());
        }

        Drive.Change(new MemoryDisk(new byte[2048 * 20]));
        Assert.Equal([2, 2], Ask([ScsiCommand.GetEventStatus, 1, 0, 0, 0x10, 0, 0, 0, 8])[4..6]);
        Assert.Equal(0, Ask([ScsiCommand.GetEventStatus, 1, 0, 0, 0x10, 0, 0, 0, 8])[4]);
        Assert.Equal(36, Ask([ScsiCommand.Inquiry, 0, 0, 0, 36]).Length);
        Assert.Equal(Wrong, _cd.Packet([ScsiCommand.TestUnitReady]));
        Assert.Equal((6, 0x28, 0), Sense());
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.TestUnitReady]));
        Assert.Equal([0, 0, 0, 19], Ask([ScsiCommand.ReadCapacity])[..4]);
    }

    [Fact]
    public void The_guest_ejects_and_loads_unless_it_has_locked_the_tray()
    {
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.PreventRemoval, 0, 0, 0, 1]));
        Assert.Equal(0x2B, Ask([ScsiCommand.ModeSense10, 0, 0x2A, 0, 0, 0, 0, 0, 100])[8 + 6]);
        Assert.Equal(Wrong, _cd.Packet([ScsiCommand.StartStopUnit, 0, 0, 0, 2]));
        Assert.Equal((5, 0x53, 2), Sense());
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.PreventRemoval]));
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.StartStopUnit, 0, 0, 0, 2]));
        Assert.True(Drive.IsOpen);
        Assert.Equal(Wrong, _cd.Packet([ScsiCommand.TestUnitReady]));
        Assert.Equal((2, 0x3A, 2), Sense());
        TestBoard copy = _board.Copy();
        Assert.True(copy.Drives[0].IsOpen);
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.StartStopUnit, 0, 0, 0, 3]));
        Assert.False(Drive.IsOpen);
        Assert.Equal(Wrong, _cd.Packet([ScsiCommand.TestUnitReady]));
        Assert.Equal((6, 0x28, 0), Sense());
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.TestUnitReady]));
    }

    [Fact]
    public void A_failing_image_is_an_unrecovered_error()
    {
        TestBoard board = new(() => [new Drive(DriveKind.Cd, DriveBus.Ide, 0, new FailingDisk(), "cd")]);
        IdeDriver cd = new(board, 0);
        Assert.Equal(Wrong, cd.Packet([ScsiCommand.Read10, 0, 0, 0, 0, 0, 0, 0, 1]));
        Assert.Equal(0x30, cd[1]);
        Assert.Single(board.Faults);
    }

    [Fact]
    public void A_medium_that_goes_while_it_is_read_ends_the_command()
    {
        Assert.Equal(WithData, _cd.Packet([ScsiCommand.Read10, 0, 0, 0, 0, 0, 0, 0, 4], limit: 2048));
        Drive.Change(null);
        _cd.ReadData(2048);
        Assert.Equal(Wrong, _cd.Wait());
        Assert.Equal((2, 0x3A, 1), Sense());
    }

    [Fact]
    public void A_state_that_is_loaded_with_another_medium_says_so()
    {
        Assert.Equal(Ready, _cd.Packet([ScsiCommand.TestUnitReady]));
        byte[] state = _board.Snapshot();
        TestBoard other = new(() => [new Drive(DriveKind.Cd, DriveBus.Ide, 2, new ReadOnlyView(new MemoryDisk(new byte[4096])), "cd")]);
        VirtShell.State.SavedState.Load(other, state);
        Assert.Equal(Wrong, new IdeDriver(other, 2).Packet([ScsiCommand.TestUnitReady]));
    }

    private byte[] Ask(byte[] packet)
    {
        int status = _cd.Packet(packet);
        Assert.Equal(0, status & IdeStatus.Error);
        return _cd.ReadBlocks(0).Data;
    }

    private (int Key, int Code, int Qualifier) Sense()
    {
        byte[] sense = Ask([ScsiCommand.RequestSense, 0, 0, 0, 18]);
        return (sense[2], sense[12], sense[13]);
    }
}
