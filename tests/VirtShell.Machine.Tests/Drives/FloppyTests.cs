using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Drives;

/// <summary>The floppy controller, as the 82077AA's data sheet has it, each command as drivers use it.</summary>
public sealed class FloppyTests
{
    private const int Buffer = 0x1_0000;
    private const byte DmaRead = 0x4A;
    private const byte DmaWrite = 0x46;
    private static readonly FloppyFormat s_format = new(80, 2, 18);
    private readonly byte[] _content = new byte[s_format.Bytes];
    private TestBoard _board;

    public FloppyTests()
    {
        new Random(1).NextBytes(_content);
        _board = Build(_content);
    }

    public static TheoryData<int, int, int> Formats
    {
        get
        {
            TheoryData<int, int, int> formats = [];
            foreach (FloppyFormat format in FloppyFormat.Known)
            {
                formats.Add(format.Cylinders, format.Heads, format.Sectors);
            }

            return formats;
        }
    }

    [Fact]
    public void After_a_reset_all_drives_are_sensed_once()
    {
        _board = new TestBoard(TestBoard.SomeDrives);
        _board.UsePic();
        Assert.Equal(0, _board.In(0x3F4));
        _board.Out(0x3F2, 0x0C);
        _board.Advance(1_000_000);
        Assert.Equal(0x80, _board.In(0x3F4));
        Assert.True(IsRequesting());
        for (int drive = 0; drive < 4; drive++)
        {
            Assert.Equal([0xC0 | drive, 0], Command(0x08));
            Assert.False(IsRequesting());
        }

        Assert.Equal([0x80], Command(0x08));
    }

    [Fact]
    public void The_gate_holds_interrupts_back_and_the_data_rate_register_resets()
    {
        _board.Out(0x3F2, 0x00);
        _board.Out(0x3F2, 0x04);
        _board.Advance(1_000_000);
        Assert.False(IsRequesting());
        _board.Out(0x3F2, 0x0C);
        Assert.True(IsRequesting());
        _board.Out(0x3F4, 0x80);
        _board.Advance(1_000_000);
        Assert.Equal([0xC0, 0], Command(0x08));
    }

    /// <summary>Commands that answer at once.</summary>
    [Theory]
    [InlineData(new[] { 0x10 }, new[] { 0x90 })]
    [InlineData(new[] { 0x18 }, new[] { 0x80 })]
    [InlineData(new[] { 0x1F }, new[] { 0x80 })]
    [InlineData(new[] { 0x94 }, new[] { 0x10 })]
    [InlineData(new[] { 0x14 }, new[] { 0x00 })]
    [InlineData(new[] { 0x04, 0x00 }, new[] { 0x38 })]
    [InlineData(new[] { 0x04, 0x05 }, new[] { 0x2D })]
    [InlineData(new[] { 0x0E }, new[] { 0, 0, 0, 0, 0xAF, 0x02, 0, 0x00, 0x20, 0 })]
    public void Facts_are_answered_at_once(int[] command, int[] answer) => Assert.Equal(answer, Command(command));

    [Fact]
    public void Settings_are_dumped_and_locked_ones_stay()
    {
        Command(0x13, 0, 0x5A, 0x11);
        Command(0x12, 0x84 | 0x03);
        Command(0x03, 0xDF, 0x02);
        Assert.Equal([0, 0, 0, 0, 0xDF, 0x02, 0, 0x07, 0x5A, 0x11], Command(0x0E));
        Command(0x94);
        SoftReset();
        Assert.Equal([0x84, 0x0A, 0x11], Command(0x0E)[7..]);
        Command(0x14);
        SoftReset();
        Assert.Equal([0x04, 0x20, 0x00], Command(0x0E)[7..]);

        void SoftReset()
        {
            _board.Out(0x3F2, 0x18);
            _board.Out(0x3F2, 0x1C);
            _board.Advance(1_000_000);
        }
    }

    [Fact]
    public void Seeks_end_with_an_interrupt_and_tell_where_the_heads_are()
    {
        Send(0x0F, 0x00, 12);
        Assert.Equal(0x81, _board.In(0x3F4));
        Assert.Equal([0x20, 12], AfterInterrupt());
        Send(0xCF, 0x00, 3);
        Assert.Equal([0x20, 15], AfterInterrupt());
        Send(0x8F, 0x00, 5);
        Assert.Equal([0x20, 10], AfterInterrupt());
        Send(0x07, 0x00);
        Assert.Equal([0x20, 0], AfterInterrupt());

        // Two at a time, and a place without a drive, where track 0 is never seen.
        Send(0x0F, 0x00, 5);
        Send(0x07, 0x03);
        _board.Advance(1_000_000);
        Assert.Equal([0x20, 5], Command(0x08));
        Assert.Equal([0x73, 0], Command(0x08));
        Send(0x0F, 0x00, 85);
        AfterInterrupt();
        Send(0x07, 0x00);
        Assert.Equal([0x70, 6], AfterInterrupt());
        Send(0x07, 0x00);
        Assert.Equal([0x20, 0], AfterInterrupt());

        int[] AfterInterrupt()
        {
            _board.Advance(1_000_000);
            Assert.True(IsRequesting());
            return Command(0x08);
        }
    }

    /// <summary>Multi-track, head, first and last sector of the track, sectors by the count; the result's cylinder, head and sector.</summary>
    [Theory]
    [InlineData(false, 0, 1, 18, 3, 2, 0, 4)]
    [InlineData(false, 0, 16, 18, 3, 3, 0, 1)]
    [InlineData(false, 1, 16, 18, 3, 3, 1, 1)]
    [InlineData(true, 0, 16, 18, 3, 2, 1, 1)]
    [InlineData(true, 0, 16, 18, 5, 2, 1, 3)]
    [InlineData(true, 0, 1, 18, 36, 3, 0, 1)]
    [InlineData(true, 1, 17, 18, 2, 3, 0, 1)]
    public void Reading_and_writing_by_dma_go_on_as_the_table_says(bool multi, int head, int first, int last, int count, int c, int h, int r)
    {
        int lba = (((2 * 2) + head) * 18) + first - 1;
        Seek(2);
        Program(DmaWrite, count * 512);
        Assert.Equal([0, 0, c, h, r, 2], Transfer((multi ? 0xC6 : 0x46) | 0x20, head << 2, 2, head, first, 2, last, 27, 0xFF)[1..]);
        Assert.Equal(_content[(lba * 512)..((lba + count) * 512)], Memory(count * 512));
        byte[] data = new byte[count * 512];
        new Random(count).NextBytes(data);
        _board.Board.Memory.Write(Buffer, data);
        Program(DmaRead, data.Length);
        Assert.Equal([0, 0, c, h, r, 2], Transfer(multi ? 0xC5 : 0x45, head << 2, 2, head, first, 2, last, 27, 0xFF)[1..]);
        Assert.Equal(data, Stored(lba * 512, data.Length));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_format_is_read_at_its_last_sector_and_told_by_read_id(int cylinders, int heads, int sectors)
    {
        FloppyFormat format = new(cylinders, heads, sectors);
        Assert.Equal(format, FloppyFormat.Of(format.Bytes));
        byte[] content = new byte[format.Bytes];
        new Random(sectors).NextBytes(content);
        _board = Build(content);
        _board.Out(0x3F7, sectors <= 10 ? 2 : sectors <= 24 ? 0 : 3);
        int step = cylinders == 40 ? 2 : 1;
        Seek((cylinders - 1) * step);
        int head = heads - 1;
        Program(DmaWrite, 512);
        int[] result = Transfer(0x46, head << 2, cylinders - 1, head, sectors, 2, sectors, 27, 0xFF);
        Assert.Equal([head << 2, 0, 0, cylinders, head, 1, 2], result);
        Assert.Equal(content[^512..], Memory(512));
        int[] id = Transfer(0x4A, head << 2);
        Assert.Equal([head << 2, 0, 0, cylinders - 1, head], id[..5]);
        Assert.InRange(id[5], 1, sectors);

        // Another rate finds nothing.
        _board.Out(0x3F7, sectors <= 10 ? 0 : 2);
        Assert.Equal([0x40 | (head << 2), 1], Transfer(0x4A, head << 2)[..2]);
    }

    [Fact]
    public void Wide_tracks_are_found_by_programs_that_do_not_step_twice()
    {
        byte[] content = new byte[new FloppyFormat(40, 2, 9).Bytes];
        new Random(3).NextBytes(content);
        _board = Build(content);
        _board.Out(0x3F7, 1);
        Seek(39);
        Program(DmaWrite, 512);
        Assert.Equal([0, 0, 0], Transfer(0x46, 0, 39, 0, 1, 2, 9, 42, 0xFF)[..3]);
        Assert.Equal(content[(39 * 18 * 512)..((39 * 18 * 512) + 512)], Memory(512));
        Seek(9);
        Assert.Equal(4, Transfer(0x4A, 0)[3]);
    }

    [Fact]
    public void With_implied_seek_no_seek_is_needed()
    {
        Program(DmaWrite, 512);
        Assert.Equal([0x40, 0x04, 0x10], Transfer(0x46, 0, 7, 0, 1, 2, 18, 27, 0xFF)[..3]);
        Command(0x13, 0, 0x60, 0);
        Program(DmaWrite, 512);
        Assert.Equal([0, 0, 0], Transfer(0x46, 0, 7, 0, 1, 2, 18, 27, 0xFF)[..3]);
        Assert.Equal(_content[(7 * 36 * 512)..((7 * 36 * 512) + 512)], Memory(512));
    }

    /// <summary>Bytes of a READ from sector 1 of cylinder 0, the drive that is meant, and ST0 to ST2.</summary>
    [Theory]
    [InlineData(new[] { 0x46, 0, 0, 0, 19, 2, 19, 27, 0xFF }, 0x40, 0x04, 0x00)]
    [InlineData(new[] { 0x46, 0, 0, 0, 0, 2, 18, 27, 0xFF }, 0x40, 0x04, 0x00)]
    [InlineData(new[] { 0x46, 0, 0, 1, 1, 2, 18, 27, 0xFF }, 0x40, 0x04, 0x00)]
    [InlineData(new[] { 0x46, 0, 0, 0, 1, 3, 18, 27, 0xFF }, 0x40, 0x04, 0x00)]
    [InlineData(new[] { 0x46, 0, 5, 0, 1, 2, 18, 27, 0xFF }, 0x40, 0x04, 0x10)]
    [InlineData(new[] { 0x46, 1, 0, 0, 1, 2, 18, 27, 0xFF }, 0x41, 0x01, 0x00)]
    [InlineData(new[] { 0x46, 2, 0, 0, 1, 2, 18, 27, 0xFF }, 0x42, 0x01, 0x00)]
    [InlineData(new[] { 0x4C, 0, 0, 0, 1, 2, 18, 27, 0xFF }, 0x00, 0x00, 0x40)]
    public void What_is_not_found_is_told_by_status_bits(int[] command, int status0, int status1, int status2)
    {
        Program(DmaWrite, 512);
        Assert.Equal([status0, status1, status2], Transfer(command)[..3]);
    }

    [Fact]
    public void A_closed_channel_is_an_overrun_and_the_end_of_the_track_an_end_of_cylinder()
    {
        _board.Out(0x0A, 0x06);
        Assert.Equal([0x40, 0x10, 0], Transfer(0x46, 0, 0, 0, 1, 2, 18, 27, 0xFF)[..3]);
        Program(DmaWrite, 4096);
        Assert.Equal([0x40, 0x80, 0, 1, 0, 1, 2], Transfer(0x46, 0, 0, 0, 17, 2, 18, 27, 0xFF));
    }

    [Theory]
    [InlineData(0x45)]
    [InlineData(0x4D)]
    public void A_protected_disk_takes_nothing(int command)
    {
        _board = Build(_content, isReadOnly: true);
        Program(DmaRead, 512);
        int[] bytes = command == 0x4D ? [command, 0, 2, 18, 84, 0xF6] : [command, 0, 0, 0, 1, 2, 18, 27, 0xFF];
        Assert.Equal([0x40, 0x02, 0], Transfer(bytes)[..3]);
        Assert.Equal([0x78], Command(0x04, 0));
    }

    [Fact]
    public void Formatting_fills_the_sectors_that_the_identifiers_name()
    {
        Seek(3);
        byte[] ids = [.. Enumerable.Range(1, 18).SelectMany(i => new byte[] { 3, 1, (byte)i, 2 })];
        _board.Board.Memory.Write(Buffer, ids);
        Program(DmaRead, ids.Length);
        Assert.Equal([4, 0, 0], Transfer(0x4D, 4, 2, 18, 84, 0xE5)[..3]);
        int start = ((3 * 2) + 1) * 18 * 512;
        Assert.All(Stored(start, 18 * 512), value => Assert.Equal(0xE5, value));
        Assert.Equal(_content[(start - 512)..start], Stored(start - 512, 512));
        Assert.Equal(_content[(start + (18 * 512))..(start + (19 * 512))], Stored(start + (18 * 512), 512));

        // More sectors than the image has room for.
        Program(DmaRead, ids.Length);
        Assert.Equal([0x44, 0x04, 0], Transfer(0x4D, 4, 2, 21, 84, 0xE5)[..3]);
    }

    [Theory]
    [InlineData(new[] { 0x56, 0x00, 0, 0, 1, 2, 18, 27, 0 }, new[] { 0, 0, 0, 1, 0, 1, 2 })]
    [InlineData(new[] { 0x56, 0x80, 0, 0, 1, 2, 18, 27, 5 }, new[] { 0, 0, 0, 0, 0, 6, 2 })]
    [InlineData(new[] { 0xD6, 0x80, 0, 0, 17, 2, 18, 27, 4 }, new[] { 4, 0, 0, 0, 1, 3, 2 })]
    public void Verifying_moves_nothing(int[] command, int[] result)
    {
        _board.Out(0x0A, 0x06);
        Assert.Equal(result, Transfer(command));
    }

    /// <summary>The command, what is added to the middle byte of a sector in memory, and ST2.</summary>
    [Theory]
    [InlineData(0x51, 0, 0x08)]
    [InlineData(0x51, 1, 0x04)]
    [InlineData(0x59, 1, 0x00)]
    [InlineData(0x59, -1, 0x04)]
    [InlineData(0x5D, -1, 0x00)]
    [InlineData(0x5D, 1, 0x04)]
    public void Scanning_compares_with_memory(int command, int difference, int status2)
    {
        byte[] data = _content[..512];
        data[10] = 0x80;
        _board.Drives[0].Medium!.Write(0, data);
        data[10] += (byte)difference;
        _board.Board.Memory.Write(Buffer, data);
        Program(DmaRead, 512);
        Assert.Equal([0, 0, status2], Transfer(command, 0, 0, 0, 1, 2, 18, 27, 1)[..3]);
    }

    [Fact]
    public void Without_dma_bytes_go_through_the_fifo()
    {
        Command(0x03, 0xDF, 0x03);
        Send(0x46, 0, 0, 0, 17, 2, 18, 27, 0xFF);
        for (int sector = 16; sector < 18; sector++)
        {
            _board.Advance(100_000);
            Assert.True(IsRequesting());
            for (int i = 0; i < 512; i++)
            {
                Assert.Equal(0xF0, _board.In(0x3F4));
                Assert.Equal(_content[(sector * 512) + i], _board.In(0x3F5));
            }
        }

        // There is no end of a count: the track's is the command's.
        _board.Advance(100_000);
        Assert.Equal([0x40, 0x80, 0, 1, 0, 1, 2], Result());
        Send(0x45, 0, 0, 0, 18, 2, 18, 27, 0xFF);
        _board.Advance(100_000);
        TestBoard copy = _board.Copy();
        for (int i = 0; i < 512; i++)
        {
            Assert.Equal(0xB0, _board.In(0x3F4));
            _board.Out(0x3F5, i);
            copy.Out(0x3F5, i);
        }

        _board.Advance(100_000);
        Assert.Equal(0x80, Result()[1]);
        Assert.Equal([.. Enumerable.Range(0, 512).Select(i => (byte)i)], Stored(17 * 512, 512));
        _board = copy;
        Assert.Equal([.. Enumerable.Range(0, 512).Select(i => (byte)i)], Stored(17 * 512, 512));
    }

    [Fact]
    public void The_change_line_falls_with_the_first_step_with_a_disk()
    {
        _board.Out(0x3F2, 0x1C);
        Assert.Equal(0xFF, _board.In(0x3F7));
        Seek(1);
        Assert.Equal(0x7F, _board.In(0x3F7));
        _board.Drives[0].Change(null);
        Assert.Equal(0xFF, _board.In(0x3F7));
        Seek(2);
        Assert.Equal(0xFF, _board.In(0x3F7));
        Assert.Equal([0x40, 1, 0], Transfer(0x46, 0, 2, 0, 1, 2, 18, 27, 0xFF)[..3]);
        _board.Drives[0].Change(new MemoryDisk(_content));
        Seek(2);
        Assert.Equal(0xFF, _board.In(0x3F7));
        Seek(0);
        Assert.Equal(0x7F, _board.In(0x3F7));

        // It is seen with the motor on.
        _board.Drives[0].Change(new MemoryDisk(_content));
        _board.Out(0x3F2, 0x0C);
        Assert.Equal(0x7F, _board.In(0x3F7));
    }

    [Fact]
    public void A_failing_image_is_a_data_error_and_a_short_one_reads_as_zeros_beyond()
    {
        _board = new TestBoard(() => [new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, new FailingDisk(), "a"), new Drive(DriveKind.Floppy, DriveBus.Floppy, 1, new MemoryDisk(_content.AsSpan(0, 1024)), "b")]);
        PowerUp();
        Program(DmaWrite, 512);
        Assert.Equal([0x40, 0x20, 0x20], Transfer(0x46, 0, 0, 0, 1, 2, 18, 27, 0xFF)[..3]);
        Assert.Single(_board.Faults);
        Program(DmaWrite, 1024);
        Assert.Equal([1, 0, 0], Transfer(0x46, 1, 0, 0, 2, 2, 18, 27, 0xFF)[..3]);
        Assert.Equal([.. _content[512..1024], .. new byte[512]], Memory(1024));
        Program(DmaRead, 512);
        Assert.Equal([0x41, 0x20, 0x20], Transfer(0x45, 1, 0, 0, 3, 2, 18, 27, 0xFF)[..3]);
    }

    [Fact]
    public void Firmware_is_told_of_drive_types_and_equipment()
    {
        foreach ((FloppyFormat? a, FloppyFormat? b, int types, int equipment) in new (FloppyFormat?, FloppyFormat?, int, int)[]
        {
            (new(80, 2, 18), null, 0x40, 0x01),
            (new(80, 2, 15), new(80, 2, 36), 0x25, 0x41),
            (new(40, 2, 9), new(80, 2, 9), 0x24, 0x41),
        })
        {
            List<Drive> drives = [];
            foreach (FloppyFormat format in new[] { a, b }.OfType<FloppyFormat>())
            {
                drives.Add(new Drive(DriveKind.Floppy, DriveBus.Floppy, drives.Count, new MemoryDisk(format.Bytes), "f"));
            }

            Assert.Equal((types, equipment), (FloppyFormat.CmosTypes(drives), FloppyFormat.EquipmentBits(drives)));
        }

        Assert.Equal((0x40, 0x01), (FloppyFormat.CmosTypes([new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, null, "f")]), FloppyFormat.EquipmentBits([new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, null, "f")])));
        Assert.Equal((0, 0), (FloppyFormat.CmosTypes([]), FloppyFormat.EquipmentBits([])));
    }

    [Fact]
    public void Direct_boot_leaves_the_types_of_drives_in_the_cmos()
    {
        using Pc machine = new(new MachineConfiguration
        {
            MemoryBytes = 4 << 20,
            Boot = new MultibootBoot(Boot.MultibootImages.Flat(code => code.hlt()), string.Empty),
            Drives = [new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, null, "a"), new Drive(DriveKind.Floppy, DriveBus.Floppy, 1, new MemoryDisk(new FloppyFormat(80, 2, 15).Bytes), "b")],
        });
        byte Cmos(int register)
        {
            machine.Bus.WritePort(0x70, 1, (uint)register);
            return (byte)machine.Bus.ReadPort(0x71, 1);
        }

        Assert.Equal((0x42, 0x47), (Cmos(0x10), Cmos(0x14)));
        Assert.Equal(Enumerable.Range(0x10, 0x1E).Sum(register => Cmos(register)), (Cmos(0x2E) << 8) | Cmos(0x2F));
    }

    private TestBoard Build(byte[] content, bool isReadOnly = false)
    {
        _board = new TestBoard(() => [new Drive(DriveKind.Floppy, DriveBus.Floppy, 0, isReadOnly ? new ReadOnlyView(new MemoryDisk(content)) : new MemoryDisk(content), "a")]);
        PowerUp();
        return _board;
    }

    private void PowerUp()
    {
        _board.UsePic();
        _board.Board.Find<Dma8237Pair>()!.InitializeAsFirmware();
        _board.Out(0x3F2, 0x1C);
        _board.Advance(1_000_000);
        for (int i = 0; i < 4; i++)
        {
            Command(0x08);
        }

        Command(0x03, 0xAF, 0x02);
        _board.Out(0x3F7, 0);
    }

    private bool IsRequesting()
    {
        _board.Out(0x20, 0x0A);
        return (_board.In(0x20) & 0x40) != 0;
    }

    private void Seek(int cylinder)
    {
        Send(0x0F, 0, cylinder);
        _board.Advance(1_000_000);
        Assert.Equal([0x20, cylinder], Command(0x08));
    }

    private void Send(params int[] bytes)
    {
        foreach (int value in bytes)
        {
            Assert.Equal(0x80, _board.In(0x3F4) & 0xC0);
            _board.Out(0x3F5, value);
        }
    }

    private int[] Result()
    {
        List<int> result = [];
        while ((_board.In(0x3F4) & 0xD0) == 0xD0)
        {
            result.Add(_board.In(0x3F5));
        }

        return [.. result];
    }

    private int[] Command(params int[] bytes)
    {
        Send(bytes);
        return Result();
    }

    // A command with an execution phase: the result comes with an interrupt, which the first byte takes away.
    private int[] Transfer(params int[] bytes)
    {
        Send(bytes);
        _board.Advance(10_000_000);
        Assert.True(IsRequesting());
        int[] result = Result();
        Assert.Equal(7, result.Length);
        Assert.False(IsRequesting());
        return result;
    }

    private void Program(int mode, int bytes)
    {
        _board.Out(0x0A, 0x06);
        _board.Out(0x0C, 0);
        _board.Out(0x0B, mode);
        _board.Out(0x81, Buffer >> 16);
        _board.Out(0x04, Buffer & 0xFF);
        _board.Out(0x04, (Buffer >> 8) & 0xFF);
        _board.Out(0x05, (bytes - 1) & 0xFF);
        _board.Out(0x05, (bytes - 1) >> 8);
        _board.Out(0x0A, 0x02);
    }

    private byte[] Memory(int bytes)
    {
        byte[] data = new byte[bytes];
        _board.Board.Memory.Read(Buffer, data);
        return data;
    }

    private byte[] Stored(int offset, int bytes)
    {
        byte[] data = new byte[bytes];
        _board.Drives[0].Medium!.Read(offset, data);
        return data;
    }
}
