using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Pci;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Drives;

/// <summary>Hard disks on the IDE controller, as ATA/ATAPI-6 has them, each command as drivers use it.</summary>
public sealed class IdeDiskTests
{
    private const int Sectors = 4096;
    private const byte Ready = IdeStatus.Ready | IdeStatus.SeekComplete;
    private const byte WithData = Ready | IdeStatus.DataRequest;
    private const byte Wrong = Ready | IdeStatus.Error;
    private readonly byte[] _content = new byte[Sectors * 512];
    private readonly TestBoard _board;
    private readonly IdeDriver _disk;

    public IdeDiskTests()
    {
        new Random(1).NextBytes(_content);
        _board = new TestBoard(() => [new Drive(DriveKind.HardDisk, DriveBus.Ide, 0, new MemoryDisk(_content), "serial-1")]);
        _board.UsePic();
        _disk = new IdeDriver(_board, 0);
    }

    private IBlockDevice Medium => _board.Drives[0].Medium!;

    [Fact]
    public void The_signature_of_a_disk_stands_after_power_on_a_soft_reset_and_diagnostics()
    {
        foreach (Action reset in (Action[])[() => { }, SoftReset, () => _disk.Command(IdeCommand.Diagnostic)])
        {
            reset();
            Assert.Equal(Ready, _disk.Wait());
            Assert.Equal((1, 1, 1, 0, 0, 0), (_disk[1], _disk[2], _disk[3], _disk[4], _disk[5], _disk[6]));
        }

        void SoftReset()
        {
            _disk.Select(0x45);
            _disk.Control(0x04);
            Assert.Equal(IdeStatus.Busy, _disk.AlternateStatus);
            _disk.Control(0x00);
        }
    }

    [Fact]
    public void Identify_tells_of_size_modes_and_commands()
    {
        Assert.Equal(WithData, _disk.Command(IdeCommand.Identify));
        byte[] answer = _disk.ReadData(512);
        Assert.Equal(Ready, _disk.AlternateStatus);
        ushort Word(int index) => BinaryPrimitives.ReadUInt16LittleEndian(answer.AsSpan(2 * index));
        Assert.Equal((0x40, 4, 16, 63), (Word(0), Word(1), Word(3), Word(6)));
        Assert.Equal((Sectors, 0, Sectors, 0), (Word(60), Word(61), Word(100), Word(101)));
        Assert.Equal((4, 16, 63, 4 * 16 * 63), (Word(54), Word(55), Word(56), Word(57)));
        Assert.Equal((0x8010, 0x0110, 0x0407, 0x003F), (Word(47), Word(59), Word(63), Word(88)));
        Assert.Equal(0x7400, Word(83));
        byte[] serial = [.. Enumerable.Range(20, 20).Select(i => answer[i ^ 1])];
        Assert.Equal("serial-1".PadRight(20), Encoding.ASCII.GetString(serial));
        Assert.Equal(0, answer.Sum(b => b) & 0xFF);
    }

    /// <summary>Command, address, count, sectors of a block, whether the address has 48 bits.</summary>
    [Theory]
    [InlineData(IdeCommand.ReadSectors, 5, 1, 1, false)]
    [InlineData(IdeCommand.ReadSectors, 5, 7, 1, false)]
    [InlineData(IdeCommand.ReadSectorsNoRetry, 0, 0, 1, false)]
    [InlineData(IdeCommand.ReadMultiple, 9, 40, 16, false)]
    [InlineData(IdeCommand.ReadSectorsExt, 4000, 96, 1, true)]
    [InlineData(IdeCommand.ReadMultipleExt, 100, 300, 16, true)]
    public void Reading_by_port_gives_blocks_with_an_interrupt_each(byte command, int address, int count, int block, bool ext)
    {
        int status = ext ? _disk.CommandExt(command, address, count) : _disk.Command(command, address, count & 0xFF);
        Assert.Equal(WithData, status);
        int left = count == 0 ? 256 : count;
        byte[] expected = _content[(address * 512)..((address + left) * 512)];
        for (int at = 0; left > 0; left -= block)
        {
            Assert.Equal(WithData, _disk.Wait());
            Assert.True(_disk.IsRequesting);
            Assert.Equal(WithData, _disk[IdeRegister.Status]);
            int length = Math.Min(block, left) * 512;
            Assert.Equal(expected[at..(at + length)], _disk.ReadData(length, at % 1024 == 0 ? 2 : 4));
            at += length;
        }

        // The end of a read has no interrupt of its own; the registers tell of the last sector.
        Assert.Equal(Ready, _disk.AlternateStatus);
        int last = address + (count == 0 ? 256 : count) - 1;
        Assert.Equal((0, last & 0xFF, last >> 8), (_disk[2], _disk[3], _disk[4]));
    }

    [Theory]
    [InlineData(IdeCommand.WriteSectors, 5, 1, 1, false)]
    [InlineData(IdeCommand.WriteSectorsNoRetry, 6, 7, 1, false)]
    [InlineData(IdeCommand.WriteVerify, 6, 2, 1, false)]
    [InlineData(IdeCommand.WriteMultiple, 9, 40, 16, false)]
    [InlineData(IdeCommand.WriteSectorsExt, 4000, 96, 1, true)]
    [InlineData(IdeCommand.WriteMultipleExt, 100, 300, 16, true)]
    [InlineData(IdeCommand.WriteMultipleFuaExt, 100, 17, 16, true)]
    public void Writing_by_port_takes_blocks_and_interrupts_after_each(byte command, int address, int count, int block, bool ext)
    {
        byte[] data = new byte[count * 512];
        new Random(2).NextBytes(data);
        Assert.Equal(WithData, ext ? _disk.CommandExt(command, address, count) : _disk.Command(command, address, count));
        for (int at = 0; at < data.Length; at += block * 512)
        {
            _disk.WriteData(data.AsSpan(at, Math.Min(block * 512, data.Length - at)));
            Assert.Equal(IdeStatus.Busy, _disk.AlternateStatus);
            bool isLast = at + (block * 512) >= data.Length;
            Assert.Equal(isLast ? Ready : WithData, _disk.Wait());
            Assert.Equal(isLast ? Ready : WithData, _disk[IdeRegister.Status]);
        }

        byte[] stored = new byte[data.Length];
        Medium.Read(address * 512, stored);
        Assert.Equal(data, stored);
    }

    /// <summary>Command, count, regions of memory: fitting, split at odd places, and one of 64 KiB.</summary>
    [Theory]
    [InlineData(IdeCommand.ReadDma, 4, new[] { 2048 }, false)]
    [InlineData(IdeCommand.ReadDmaNoRetry, 4, new[] { 2, 1022, 1000, 24 }, false)]
    [InlineData(IdeCommand.ReadDmaExt, 400, new[] { 65536, 65536, 65536, 8192 }, true)]
    public void Reading_by_bus_master_fills_the_regions(byte command, int count, int[] sizes, bool ext)
    {
        uint at = 0x10_0000;
        _disk.Regions([.. sizes.Select(size => (at += 0x2_0000, size))]);
        Assert.Equal(0, _disk.BusMasterStatus & 7);
        Begin(command, 3, count, ext);
        _board.Advance(1_000_000);
        Assert.NotEqual(0, _disk.AlternateStatus & IdeStatus.Busy);
        _disk.StartBusMaster(toMemory: true);
        Assert.Equal(1, _disk.BusMasterStatus & 7);
        Assert.Equal(Ready, _disk.Wait());
        Assert.Equal(4, _disk.BusMasterStatus & 7);
        byte[] got = [.. sizes.SelectMany((size, i) => Memory(0x10_0000u + ((uint)(i + 1) * 0x2_0000), size))];
        Assert.Equal(_content[(3 * 512)..((3 + count) * 512)], got);
        _disk.BusMasterStatus = 4;
        Assert.Equal(0, _disk.BusMasterStatus & 7);
        _disk.StopBusMaster();
    }

    [Theory]
    [InlineData(IdeCommand.WriteDma, 4, false)]
    [InlineData(IdeCommand.WriteDmaNoRetry, 129, false)]
    [InlineData(IdeCommand.WriteDmaExt, 300, true)]
    [InlineData(IdeCommand.WriteDmaFuaExt, 1, true)]
    public void Writing_by_bus_master_takes_what_the_regions_hold(byte command, int count, bool ext)
    {
        byte[] data = new byte[count * 512];
        new Random(3).NextBytes(data);
        _board.Board.Memory.Write(0x10_0000, data);
        _disk.Regions([.. Enumerable.Range(0, (data.Length + 65535) / 65536).Select(i => (0x10_0000u + ((uint)i * 65536), Math.Min(65536, data.Length - (i * 65536))))]);

        // Started first, as some drivers do.
        _disk.StartBusMaster(toMemory: false);
        Begin(command, 3, count, ext);
        Assert.Equal(Ready, _disk.Wait());
        Assert.Equal(4, _disk.BusMasterStatus & 7);
        byte[] stored = new byte[data.Length];
        Medium.Read(3 * 512, stored);
        Assert.Equal(data, stored);
    }

    [Fact]
    public void A_table_that_is_too_long_stays_active_and_one_that_is_too_short_leaves_the_drive_waiting()
    {
        _disk.Regions((0x10_0000, 4096));
        _disk.StartBusMaster(toMemory: true);
        Begin(IdeCommand.ReadDma, 0, 4, ext: false);
        Assert.Equal(Ready, _disk.Wait());
        Assert.Equal(5, _disk.BusMasterStatus & 7);
        _disk.StopBusMaster();
        Assert.Equal(4, _disk.BusMasterStatus & 7);
        _disk.BusMasterStatus = 6;
        _disk.Regions((0x10_0000, 1024));
        Begin(IdeCommand.ReadDma, 0, 4, ext: false);
        _disk.StartBusMaster(toMemory: true);
        _board.Advance(1_000_000_000);
        Assert.Equal((0, IdeStatus.Busy), (_disk.BusMasterStatus & 7, (byte)(_disk.AlternateStatus & IdeStatus.Busy)));
        _disk.Control(4);
        _disk.Control(0);
        Assert.Equal(Ready, _disk.Wait());
    }

    [Fact]
    public void A_table_outside_of_memory_is_an_error_of_the_bus_master()
    {
        _board.Bus.WritePort((ushort)(BusMaster() + 4), 4, 0xF000_0000);
        Begin(IdeCommand.ReadDma, 0, 4, ext: false);
        _disk.StartBusMaster(toMemory: true);
        _board.Advance(1_000_000);
        Assert.Equal(2, _disk.BusMasterStatus & 7);
    }

    [Fact]
    public void Without_leave_to_access_memory_nothing_moves()
    {
        uint command = PciTestMachine.ReadConfig(_board.Bus, 1, 1, PciRegister.Command, 2);
        PciTestMachine.WriteConfig(_board.Bus, 1, 1, PciRegister.Command, 2, command & ~(uint)PciCommand.BusMaster);
        _disk.Regions((0x10_0000, 2048));
        Begin(IdeCommand.ReadDma, 0, 4, ext: false);
        _disk.StartBusMaster(toMemory: true);
        _board.Advance(1_000_000);
        Assert.NotEqual(0, _disk.AlternateStatus & IdeStatus.Busy);
        PciTestMachine.WriteConfig(_board.Bus, 1, 1, PciRegister.Command, 2, command);
        Assert.Equal(Ready, _disk.Wait());
    }

    /// <summary>Command, count, features: what ends at once with success.</summary>
    [Theory]
    [InlineData(IdeCommand.Recalibrate, 0, 0)]
    [InlineData(IdeCommand.RecalibrateLast, 0, 0)]
    [InlineData(IdeCommand.Seek, 0, 0)]
    [InlineData(IdeCommand.Verify, 8, 0)]
    [InlineData(IdeCommand.VerifyNoRetry, 0, 0)]
    [InlineData(IdeCommand.SetMultiple, 8, 0)]
    [InlineData(IdeCommand.SetMultiple, 0, 0)]
    [InlineData(IdeCommand.FlushCache, 0, 0)]
    [InlineData(IdeCommand.FlushCacheExt, 0, 0)]
    [InlineData(IdeCommand.StandbyImmediate, 0, 0)]
    [InlineData(IdeCommand.IdleImmediate, 0, 0)]
    [InlineData(IdeCommand.Standby, 0, 0)]
    [InlineData(IdeCommand.Idle, 0, 0)]
    [InlineData(IdeCommand.Sleep, 0, 0)]
    [InlineData(IdeCommand.InitializeParameters, 17, 0)]
    [InlineData(IdeCommand.SetFeatures, 0, 0x02)]
    [InlineData(IdeCommand.SetFeatures, 0, 0x82)]
    [InlineData(IdeCommand.SetFeatures, 0, 0xAA)]
    [InlineData(IdeCommand.SetFeatures, 0x0C, 0x03)]
    [InlineData(IdeCommand.SetFeatures, 0x22, 0x03)]
    [InlineData(IdeCommand.SetFeatures, 0x45, 0x03)]
    public void Commands_without_data_end_with_an_interrupt(byte command, int count, int features)
    {
        Assert.Equal(Ready, _disk.Command(command, 0, count, features));
        Assert.Equal(0, _disk[IdeRegister.Error]);
        Assert.True(_disk.IsRequesting);
        Assert.Equal(Ready, _disk[IdeRegister.Status]);
        Assert.False(_disk.IsRequesting);
    }

    /// <summary>Command, address, count, features, error: what a drive refuses.</summary>
    [Theory]
    [InlineData(0x00, 0, 0, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.DeviceReset, 0, 0, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.Packet, 0, 0, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.IdentifyPacket, 0, 0, 0, IdeError.Aborted)]
    [InlineData(0xFF, 0, 0, 0, IdeError.Aborted)]
    [InlineData(0x50, 0, 0, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.SetMultiple, 0, 3, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.SetMultiple, 0, 32, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.InitializeParameters, 0, 0, 0, IdeError.Aborted)]
    [InlineData(IdeCommand.SetFeatures, 0, 0, 0x99, IdeError.Aborted)]
    [InlineData(IdeCommand.SetFeatures, 0, 0x46, 0x03, IdeError.Aborted)]
    [InlineData(IdeCommand.ReadSectors, Sectors, 1, 0, IdeError.NotFound)]
    [InlineData(IdeCommand.WriteSectors, Sectors, 1, 0, IdeError.NotFound)]
    [InlineData(IdeCommand.ReadDma, Sectors, 1, 0, IdeError.NotFound)]
    [InlineData(IdeCommand.Verify, Sectors - 1, 2, 0, IdeError.NotFound)]
    [InlineData(IdeCommand.Seek, Sectors, 0, 0, IdeError.NotFound)]
    public void Errors_are_told_by_their_bits(byte command, int address, int count, int features, byte error)
    {
        Assert.Equal(Wrong, _disk.Command(command, address, count, features));
        Assert.Equal(error, _disk[IdeRegister.Error]);
        Assert.Equal(Ready, _disk.Command(IdeCommand.CheckPower));
        Assert.Equal(0, _disk[IdeRegister.Error]);
    }

    [Fact]
    public void A_read_across_the_end_gives_what_there_is_and_then_says_which_sector_is_not()
    {
        Assert.Equal(WithData, _disk.Command(IdeCommand.ReadSectors, Sectors - 2, 5));
        Assert.Equal(_content[((Sectors - 2) * 512)..], _disk.ReadBlocks(512).Data);
        Assert.Equal(Wrong, _disk.Wait());
        Assert.Equal((IdeError.NotFound, 3, Sectors & 0xFF, Sectors >> 8), ((byte)_disk[1], _disk[2], _disk[3], _disk[4]));
    }

    /// <summary>Heads, sectors of a track; cylinder, head, sector; the sector's number, or -1.</summary>
    [Theory]
    [InlineData(16, 63, 1, 2, 3, 1136)]
    [InlineData(4, 17, 10, 3, 17, 747)]
    [InlineData(4, 17, 10, 3, 18, -1)]
    [InlineData(4, 17, 10, 3, 0, -1)]
    [InlineData(4, 17, 10, 4, 1, -1)]
    [InlineData(4, 17, 60, 0, 1, -1)]
    public void Cylinder_head_and_sector_follow_the_chosen_geometry(int heads, int track, int cylinder, int head, int sector, int number)
    {
        _disk.Command(IdeCommand.InitializeParameters, 0, track, 0, heads - 1);
        int status = _disk.Command(IdeCommand.ReadSectors, sector | (cylinder << 8), 1, 0, head);
        if (number < 0)
        {
            Assert.Equal((Wrong, IdeError.NotFound), ((byte)status, (byte)_disk[1]));
            return;
        }

        Assert.Equal(_content[(number * 512)..((number + 1) * 512)], _disk.ReadData(512));
        Assert.Equal((sector, cylinder, head), (_disk[3], _disk[4] | (_disk[5] << 8), _disk[6] & 0xF));
    }

    [Fact]
    public void Without_a_block_size_there_is_no_multiple()
    {
        _disk.Command(IdeCommand.SetMultiple, 0, 0);
        Assert.Equal((Wrong, IdeError.Aborted), ((byte)_disk.Command(IdeCommand.ReadMultiple, 0, 1), (byte)_disk[1]));
        _disk.Command(IdeCommand.SetMultiple, 0, 4);
        _disk.Command(IdeCommand.ReadMultiple, 0, 6);
        Assert.Equal(_content[..3072], (byte[])[.. _disk.ReadData(2048), .. AfterWait(1024)]);

        byte[] AfterWait(int bytes)
        {
            _disk.Wait();
            return _disk.ReadData(bytes);
        }
    }

    [Fact]
    public void The_buffer_of_the_drive_holds_what_was_written_to_it()
    {
        byte[] data = _content[..512];
        Assert.Equal(WithData, _disk.Command(IdeCommand.WriteBuffer));
        _disk.WriteData(data, 4);
        Assert.Equal(Ready, _disk.Wait());
        Assert.Equal(WithData, new IdeDriver(_board.Copy(), 0).Command(IdeCommand.ReadBuffer));
        Assert.Equal(WithData, _disk.Command(IdeCommand.ReadBuffer));
        Assert.Equal(data, _disk.ReadData(512));
    }

    [Fact]
    public void Power_and_the_last_address_can_be_asked()
    {
        _disk.Command(IdeCommand.CheckPower);
        Assert.Equal(0xFF, _disk[2]);
        _disk.Command(IdeCommand.StandbyImmediate);
        _disk.Command(IdeCommand.CheckPower);
        Assert.Equal(0x00, _disk[2]);
        _disk.Command(IdeCommand.ReadNativeMax);
        Assert.Equal((Sectors - 1, 0), (_disk[3] | (_disk[4] << 8), _disk[5]));
        Assert.Equal(Ready, _disk.CommandExt(IdeCommand.ReadNativeMaxExt, 0, 0));
        Assert.Equal(Sectors - 1, _disk[3] | (_disk[4] << 8));
        _disk.Control(0x80);
        Assert.Equal((0, 0), (_disk[3], _disk[4]));
    }

    [Fact]
    public void A_read_only_image_refuses_writes_and_a_failing_one_is_told_to_both_sides()
    {
        TestBoard board = new(() => [new Drive(DriveKind.HardDisk, DriveBus.Ide, 0, new ReadOnlyView(new MemoryDisk(8192)), "r"), new Drive(DriveKind.HardDisk, DriveBus.Ide, 1, new FailingDisk(), "f")]);
        Assert.Equal(Wrong, new IdeDriver(board, 0).Command(IdeCommand.WriteSectors, 0, 1));
        IdeDriver failing = new(board, 1);
        Assert.Equal((Wrong, IdeError.Uncorrectable), ((byte)failing.Command(IdeCommand.ReadSectors, 7, 1), (byte)failing[1]));
        Assert.Equal(7, failing[3]);
        failing.Command(IdeCommand.WriteSectors, 5, 1);
        failing.WriteData(new byte[512]);
        Assert.Equal((Wrong | IdeStatus.Fault, IdeError.Aborted), (failing.Wait(), (byte)failing[1]));
        Assert.Equal((Wrong | IdeStatus.Fault, IdeError.Aborted), (failing.Command(IdeCommand.FlushCache), (byte)failing[1]));
        Assert.Equal(3, board.Faults.Count);
    }

    [Fact]
    public void Missing_drives_read_as_an_open_cable()
    {
        TestBoard board = new(() => [new Drive(DriveKind.HardDisk, DriveBus.Ide, 0, new MemoryDisk(8192), "d")]);
        IdeDriver slave = new(board, 1);
        slave.Select();
        Assert.Equal((0, 0), (slave.AlternateStatus, slave[IdeRegister.Status]));

        // Device 0 answers for it, but takes no command.
        slave[IdeRegister.SectorCount] = 0x55;
        slave[IdeRegister.LbaLow] = 0xAA;
        Assert.Equal((0x55, 0xAA), (slave[2], slave[3]));
        slave[IdeRegister.Command] = IdeCommand.Identify;
        board.Advance(1_000_000);
        Assert.Equal((0, Ready), (slave.AlternateStatus, (byte)Master(board).AlternateStatus));
        IdeDriver secondary = new(board, 2);
        secondary.Select();
        secondary[IdeRegister.SectorCount] = 0x55;
        Assert.Equal((0x7F, 0x7F, 0x7F), (secondary.AlternateStatus, secondary[7], secondary[2]));
        Assert.Equal(0xFF7Fu, board.Bus.ReadPort(0x170, 2));
    }

    [Fact]
    public void A_channel_that_is_switched_off_answers_nothing()
    {
        PciTestMachine.WriteConfig(_board.Bus, 1, 1, 0x40, 2, 0);
        Assert.Equal((0xFF, 0xFF), (_disk.AlternateStatus, _disk[7]));
        PciTestMachine.WriteConfig(_board.Bus, 1, 1, 0x40, 2, 0x8000);
        Assert.Equal(Ready, _disk.AlternateStatus);
        Assert.Equal(0x0101_8000u, PciTestMachine.ReadConfig(_board.Bus, 1, 1, 8, 4));
    }

    [Fact]
    public void The_interrupt_can_be_disabled_and_status_takes_it_away()
    {
        _disk.Control(0x02);
        _disk.Command(IdeCommand.Recalibrate);
        Assert.False(_disk.IsRequesting);
        _disk.Control(0x00);
        Assert.True(_disk.IsRequesting);
        _ = _disk[IdeRegister.Status];
        Assert.False(_disk.IsRequesting);
    }

    private static IdeDriver Master(TestBoard board)
    {
        IdeDriver master = new(board, 0);
        master.Select();
        return master;
    }

    private void Begin(byte command, int address, int count, bool ext)
    {
        _disk.Select(0x40);
        if (ext)
        {
            (_disk[2], _disk[3], _disk[4], _disk[5]) = (count >> 8, 0, 0, 0);
        }

        (_disk[2], _disk[3], _disk[4], _disk[5]) = (count & 0xFF, address & 0xFF, address >> 8, 0);
        _disk[7] = command;
    }

    private byte[] Memory(uint address, int length)
    {
        byte[] data = new byte[length];
        _disk.Board.Board.Memory.Read(address, data);
        return data;
    }

    private int BusMaster() => (int)(PciTestMachine.ReadConfig(_board.Bus, 1, 1, 0x20, 4) & ~3u);
}
