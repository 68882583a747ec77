using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Bios;

/// <summary>
/// The 64 KiB of ROM at F0000h: entries where software of the PC/AT expects them, interrupt stubs that call out
/// (<see cref="BiosService"/>), and fonts and tables. Assembled once; a machine's own tables are put in by
/// <see cref="BiosTables"/>.
/// </summary>
internal sealed partial class BiosRom
{
    public const ushort Segment = 0xF000;
    public const uint Base = 0xF_0000;
    public const int Length = 0x1_0000;

    // A machine's tables; our code; fonts.
    public const int Tables = 0x0000;
    public const int TablesEnd = 0x4000;
    private const int Code = 0x4000;
    private const int CodeEnd = 0x6000;
    public const int Font16 = 0x6000;
    public const int Font14 = 0x7000;
    public const int Font8 = 0x7E00;
    public const int Strings = 0x8600;

    /// <summary>What INT 10h 1Bh says that the BIOS can do.</summary>
    public const int VideoFunctions = 0x8640;

    // Entries of the IBM PC/AT (IBM Technical Reference 1502494, section 5), which programs jump to without asking.
    public const int PostEntry = 0xE05B;
    public const int NmiEntry = 0xE2C3;
    public const int DiskEntry = 0xE3FE;
    public const int DiskTable = 0xE401;
    public const int BootEntry = 0xE6F2;
    public const int ConfigurationTable = 0xE6F5;
    public const int SerialEntry = 0xE739;
    public const int KeyboardEntry = 0xE82E;
    public const int KeyEntry = 0xE987;
    public const int FloppyEntry = 0xEC59;
    public const int FloppyIrqEntry = 0xEF57;
    public const int FloppyTable = 0xEFC7;
    public const int PrinterEntry = 0xEFD2;
    public const int VideoEntry = 0xF065;
    public const int VideoTable = 0xF0A4;
    public const int BaseMemoryEntry = 0xF841;
    public const int EquipmentEntry = 0xF84D;
    public const int SystemEntry = 0xF859;
    public const int LowFont = 0xFA6E;
    public const int TimeEntry = 0xFE6E;
    public const int TickEntry = 0xFEA5;
    public const int DummyReturn = 0xFF53;
    public const int PrintScreenEntry = 0xFF54;
    public const int ResetVector = 0xFFF0;
    public const int Date = 0xFFF5;
    public const int Model = 0xFFFE;

    // Where tables follow the jump.
    private const int DiskStub = 0x5F40;
    private const int BootStub = 0x5F48;
    private const int BootNextStub = 0x5F50;
    private const byte ModelAt = 0xFC;

    private readonly byte[] _image = new byte[Length];
    private readonly Dictionary<uint, BiosService> _services = [];
    private readonly Dictionary<int, int> _vectors = [];
    private readonly Dictionary<string, int> _entries = [];

    private BiosRom()
    {
        BiosFont.Place(_image);
        WriteCode();
        Entry(PostEntry, BiosService.Post);
        Entry(DiskStub, BiosService.Disk);
        Entry(BootStub, BiosService.Boot);
        Entry(BootNextStub, BiosService.BootNext, 0x18);
        JumpTo(DiskEntry, DiskStub, 0x13);
        JumpTo(BootEntry, BootStub, 0x19);
        Entry(SerialEntry, BiosService.Serial, 0x14);
        Entry(KeyboardEntry, BiosService.Keyboard, 0x16);
        Entry(FloppyEntry, BiosService.Disk, 0x40);
        Entry(PrinterEntry, BiosService.Printer, 0x17);
        Entry(VideoEntry, BiosService.Video, 0x10, 0x42);
        Entry(BaseMemoryEntry, BiosService.BaseMemory, 0x12);
        Entry(EquipmentEntry, BiosService.Equipment, 0x11);
        Entry(SystemEntry, BiosService.System, 0x15);
        Entry(TimeEntry, BiosService.Time, 0x1A);
        Entry(PrintScreenEntry, BiosService.PrintScreen, 0x05);
        Jump(NmiEntry, "nmi", 0x02);
        Jump(KeyEntry, "key", 0x09);
        Jump(FloppyIrqEntry, "floppy-irq", 0x0E);
        Jump(TickEntry, "tick", 0x08);
        _image[DummyReturn] = 0xCF;
        WriteTables();
    }

    /// <summary>The ROM of every machine; not to be changed.</summary>
    public static BiosRom Common { get; } = new();

    public ReadOnlySpan<byte> Image => _image;

    /// <summary>The service that the call at an address is for.</summary>
    public BiosService ServiceAt(uint physical) => _services.GetValueOrDefault(physical);

    /// <summary>Offset of a piece of code.</summary>
    public int this[string entry] => _entries[entry];

    /// <summary>Offset of an interrupt's handler; 0 where the vector points to nothing.</summary>
    public int HandlerOf(int vector) => vector switch
    {
        // Left to programs, or filled with pointers to tables.
        0x1D or 0x1E or 0x1F or 0x41 or 0x43 or 0x44 or 0x46 or 0x49 or (>= 0x60 and <= 0x67) or (>= 0x78) => 0,
        _ => _vectors.GetValueOrDefault(vector, DummyReturn),
    };

    /// <summary>Calls out, and goes back to the caller; or waits for an interrupt, and calls out again.</summary>
    private void Entry(int offset, BiosService service, params ReadOnlySpan<int> vectors)
    {
        // vmcall; iret; sti; hlt; jmp short to the call.
        ReadOnlySpan<byte> stub = [0x0F, 0x01, 0xC1, 0xCF, 0xFB, 0xF4, 0xEB, 0xF8];
        Put(offset, stub);
        _services[Base + (uint)offset] = service;
        foreach (int vector in vectors)
        {
            _vectors[vector] = offset;
        }
    }

    private void Jump(int offset, string target, int vector) => JumpTo(offset, _entries[target], vector);

    private void JumpTo(int offset, int target, int vector)
    {
        ushort distance = (ushort)(target - (offset + 3));
        Put(offset, [0xE9, (byte)distance, (byte)(distance >> 8)]);
        _vectors[vector] = offset;
    }

    private void Put(int offset, ReadOnlySpan<byte> bytes)
    {
        Span<byte> place = _image.AsSpan(offset, bytes.Length);
        if (place.ContainsAnyExcept((byte)0))
        {
            throw new InvalidOperationException($"Two things want to stand at {offset:X4}h of the BIOS.");
        }

        bytes.CopyTo(place);
    }

    private void WriteTables()
    {
        // Of the first hard disk of an AT, which no machine has: what is in use stands in the EBDA.
        Put(DiskTable, [0x32, 0x01, 0x04, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x32, 0x01, 0x11, 0]);

        // INT 15h C0h: model FCh, two 8259s, RTC, INT 15h 4Fh, EBDA.
        Put(ConfigurationTable, [0x08, 0x00, ModelAt, 0x00, 0x01, 0x74, 0x40, 0x00, 0x00, 0x00]);

        // INT 1Eh: step rate, head load, motor off after 37 ticks, 512 bytes, 18 sectors, gaps, fill byte, settle, start.
        Put(FloppyTable, [0xAF, 0x02, 0x25, 0x02, 0x12, 0x1B, 0xFF, 0x6C, 0xF6, 0x0F, 0x08]);

        // INT 1Dh: registers of the 6845 for 40 and 80 columns, graphics and monochrome; lengths and columns of the pages.
        Put(VideoTable, [
            0x38, 0x28, 0x2D, 0x0A, 0x1F, 0x06, 0x19, 0x1C, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0,
            0x71, 0x50, 0x5A, 0x0A, 0x1F, 0x06, 0x19, 0x1C, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0,
            0x38, 0x28, 0x2D, 0x0A, 0x7F, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0, 0, 0, 0,
            0x61, 0x50, 0x52, 0x0F, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0D, 0x0B, 0x0C, 0, 0, 0, 0,
            0x00, 0x08, 0x00, 0x10, 0x00, 0x40, 0x00, 0x40, 40, 40, 80, 80, 40, 40, 80, 80,
            0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29,
        ]);
        // Modes 0 to 7 and 0Dh to 13h; 200, 350 and 400 lines; eight character blocks, two of them shown; what the rest can do.
        Put(VideoFunctions, [0xFF, 0xE0, 0x0F, 0, 0, 0, 0, 0x07, 0x08, 0x02, 0xFF, 0x0E, 0, 0, 0x00, 0]);
        Put(ResetVector, [0xEA, PostEntry & 0xFF, PostEntry >> 8, Segment & 0xFF, Segment >> 8]);
        Put(Date, Encoding.ASCII.GetBytes("01/01/26"));
        _image[Model] = ModelAt;
        Put(Strings, Encoding.ASCII.GetBytes("VirtShell BIOS\0"));
    }

    private void WriteCode()
    {
        Assembler c = new(16);
        List<(Label Label, BiosService Service)> calls = [];
        List<(Label Label, string Name)> names = [];
        void Name(string name)
        {
            Label label = c.CreateLabel();
            c.Label(ref label);
            names.Add((label, name));
        }

        void Call(BiosService service)
        {
            Label label = c.CreateLabel();
            c.Label(ref label);
            calls.Add((label, service));
            c.vmcall();
        }

        Name("start");
        WriteStart(c, Call);
        Name("wait");
        WriteWait(c);
        Name("tick");
        WriteTick(c, Call);
        Name("key");
        WriteKey(c, Call);
        Name("clock");
        WriteClock(c, Call);
        Name("mouse");
        WriteMouse(c, Call);
        Name("floppy-irq");
        WriteFloppyIrq(c);
        Name("coprocessor");
        c.push(ax);
        c.xor(al, al);
        c.@out(0xF0, al);
        WriteEnd(c, isSlave: true);
        c.pop(ax);
        c.@int(0x02);
        c.iret();
        Name("redirect");
        c.push(ax);
        c.mov(al, 0x20);
        c.@out(0xA0, al);
        c.pop(ax);
        c.@int(0x0A);
        c.iret();
        Name("nmi");
        c.iret();
        Name("master");
        c.push(ax);
        WriteEnd(c, isSlave: false);
        c.pop(ax);
        c.iret();
        Name("slave");
        c.push(ax);
        WriteEnd(c, isSlave: true);
        c.pop(ax);
        c.iret();
        Name("pnp-real");
        c.mov(ax, 0x82);
        c.retf();

        using MemoryStream code = new();
        AssemblerResult result = c.Assemble(new StreamCodeWriter(code), Code, BlockEncoderOptions.ReturnNewInstructionOffsets);
        if (code.Length > CodeEnd - Code)
        {
            throw new InvalidOperationException("The code of the BIOS does not fit.");
        }

        Put(Code, code.ToArray());
        foreach ((Label label, BiosService service) in calls)
        {
            _services[Base + (uint)result.GetLabelRIP(label)] = service;
        }

        foreach ((Label label, string name) in names)
        {
            _entries[name] = (int)result.GetLabelRIP(label);
        }

        foreach ((int vector, string name) in new[]
        {
            (0x70, "clock"), (0x71, "redirect"), (0x74, "mouse"), (0x75, "coprocessor"),
            (0x0A, "master"), (0x0B, "master"), (0x0C, "master"), (0x0D, "master"), (0x0F, "master"),
            (0x72, "slave"), (0x73, "slave"), (0x76, "slave"), (0x77, "slave"),
        })
        {
            _vectors[vector] = _entries[name];
        }

        Write32();
    }
}
