using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler;

/// <summary>A place in a guest: its label, and the assembler that it belongs to.</summary>
internal sealed class Spot(Label label, bool isLong)
{
    /// <summary>A field, since placing a label changes the struct.</summary>
    public Label Label = label;

    public bool IsLong { get; } = isLong;
}

/// <summary>
/// A guest under construction: 32-bit code, optionally followed by 64-bit code, and data behind the 32-bit code.
/// Absolute addresses are not known until everything is emitted, so a guest is assembled in passes until none moves.
/// </summary>
internal sealed partial class GuestCode
{
    /// <summary>Multiboot Specification 0.6.96, section 3.1.1.</summary>
    private const uint HeaderMagic = 0x1BAD_B002;
    private const uint HeaderPageAlign = 1 << 0;
    private const uint HeaderMemoryInfo = 1 << 1;
    private const uint HeaderHasAddresses = 1 << 16;
    private const int HeaderSize = 32;
    private const int MaximumPasses = 6;

    private readonly Dictionary<(bool IsLong, ulong Id), uint> _known;
    private readonly List<Spot> _wanted = [];
    private readonly List<(Spot Spot, byte[] Bytes)> _data = [];
    private readonly Dictionary<string, Spot> _texts = [];
    private readonly uint _longBase;
    private int _last = -1;
    private int _lastLong = -1;

    private GuestCode(Dictionary<(bool IsLong, ulong Id), uint> known, uint longBase)
    {
        _known = known;
        _longBase = longBase;
    }

    /// <summary>The 32-bit part, where the guest starts.</summary>
    public Iced.Intel.Assembler Asm { get; } = new(32);

    /// <summary>The 64-bit part, empty in most guests.</summary>
    public Iced.Intel.Assembler Long { get; } = new(64);

    /// <summary>The Multiboot image of a guest.</summary>
    public static byte[] Assemble(IGuestProgram guest)
    {
        Dictionary<(bool, ulong), uint> known = [];
        var longBase = Layout.Load;
        for (var pass = 0; pass < MaximumPasses; pass++)
        {
            var code = new GuestCode(known, longBase);
            guest.Emit(code);
            if (code.TryFinish(out var image, out known, out longBase))
            {
                return image;
            }
        }

        throw new InvalidOperationException($"The addresses of guest {guest.Name} do not settle.");
    }

    public Spot NewSpot() => new(Asm.CreateLabel(), isLong: false);

    public Spot NewLongSpot() => new(Long.CreateLabel(), isLong: true);

    public void Place(Spot spot)
    {
        var assembler = spot.IsLong ? Long : Asm;
        ref var last = ref spot.IsLong ? ref _lastLong : ref _last;

        // Iced allows one label an instruction.
        if (last == assembler.Instructions.Count)
        {
            assembler.zero_bytes();
        }

        last = assembler.Instructions.Count;
        assembler.Label(ref spot.Label);
    }

    /// <summary>A new spot at the current end of the 32-bit code.</summary>
    public Spot Here()
    {
        var spot = NewSpot();
        Place(spot);
        return spot;
    }

    /// <summary>The spot's address; a stand-in of the same encoded size during the first pass.</summary>
    public uint AddressOf(Spot spot)
    {
        _wanted.Add(spot);
        return _known.GetValueOrDefault((spot.IsLong, spot.Label.Id), Layout.Load + 0x1000);
    }

    /// <summary>The address of a zero-terminated ASCII string.</summary>
    public uint Text(string text)
    {
        if (!_texts.TryGetValue(text, out var spot))
        {
            spot = Data(Encoding.ASCII.GetBytes(text + '\0'));
            _texts.Add(text, spot);
        }

        return AddressOf(spot);
    }

    public Spot Data(byte[] bytes)
    {
        var spot = NewSpot();
        _data.Add((spot, bytes));
        return spot;
    }

    private bool TryFinish(out byte[] image, out Dictionary<(bool, ulong), uint> addresses, out uint longBase)
    {
        EmitRoutines();
        foreach (var (spot, bytes) in _data)
        {
            Place(spot);
            Asm.db(bytes);
        }

        var entry = Layout.Load + HeaderSize;
        using var stream = new MemoryStream();
        stream.SetLength(HeaderSize);
        stream.Position = HeaderSize;
        var short32 = Asm.Assemble(new StreamCodeWriter(stream), entry, BlockEncoderOptions.ReturnNewInstructionOffsets);
        AssemblerResult? long64 = null;
        longBase = Layout.Load;
        if (Long.Instructions.Count > 0)
        {
            while (stream.Length % 16 != 0)
            {
                stream.WriteByte(0);
            }

            longBase = Layout.Load + (uint)stream.Length;
            long64 = Long.Assemble(new StreamCodeWriter(stream), longBase, BlockEncoderOptions.ReturnNewInstructionOffsets);
        }

        addresses = [];
        foreach (var spot in _wanted)
        {
            var result = spot.IsLong ? long64 ?? throw new InvalidOperationException("A 64-bit spot without 64-bit code.") : short32;
            addresses[(spot.IsLong, spot.Label.Id)] = (uint)result.GetLabelRIP(spot.Label);
        }

        image = stream.ToArray();
        if (Layout.Load + (uint)image.Length > Layout.ImageLimit)
        {
            throw new InvalidOperationException("The image runs into the guest's own data.");
        }

        WriteHeader(image, entry);
        return longBase == _longBase && SameAddresses(addresses);
    }

    private bool SameAddresses(Dictionary<(bool, ulong), uint> addresses)
    {
        if (addresses.Count != _known.Count)
        {
            return false;
        }

        foreach (var (key, value) in addresses)
        {
            if (!_known.TryGetValue(key, out var old) || old != value)
            {
                return false;
            }
        }

        return true;
    }

    private static void WriteHeader(byte[] image, uint entry)
    {
        const uint flags = HeaderPageAlign | HeaderMemoryInfo | HeaderHasAddresses;
        ReadOnlySpan<uint> fields =
        [
            HeaderMagic,
            flags,
            unchecked(0 - HeaderMagic - flags),
            Layout.Load,
            Layout.Load,
            Layout.Load + (uint)image.Length,
            Layout.BssEnd,
            entry,
        ];
        for (var i = 0; i < fields.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(i * sizeof(uint)), fields[i]);
        }
    }

    /// <summary>
    /// What every guest starts with: a stack, our own flat GDT (Multiboot leaves GDTR undefined), the console at
    /// 115200 8N1, interrupts off. EBX's Multiboot information is kept at <see cref="Layout.BootInfo"/>.
    /// </summary>
    public void Begin()
    {
        ulong[] descriptors =
        [
            0,
            0x00CF_9B00_0000_FFFF,
            0x00CF_9300_0000_FFFF,
            0x00AF_9B00_0000_FFFF,
            0x00CF_FB00_0000_FFFF,
            0x00CF_F300_0000_FFFF,
            0x0000_8900_0000_0000 | (Layout.TssSize - 1) | ((ulong)Layout.Tss << 16),
        ];
        var table = new byte[descriptors.Length * sizeof(ulong)];
        for (var i = 0; i < descriptors.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(i * sizeof(ulong)), descriptors[i]);
        }

        var gdt = Data(table);
        var flat = NewSpot();
        var c = Asm;
        c.cli();
        c.cld();
        c.mov(esp, Layout.StackTop);
        c.mov(__dword_ptr[Layout.BootInfo], ebx);
        LoadTable(AddressOf(gdt), table.Length - 1, isIdt: false);
        c.mov(eax, Layout.DataSelector);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(ss, ax);
        c.mov(fs, ax);
        c.mov(gs, ax);
        c.push(Layout.CodeSelector);
        c.mov(eax, AddressOf(flat));
        c.push(eax);
        c.retf();
        Place(flat);
        Call(Routine.SerialInit);
    }

    /// <summary>LGDT or LIDT of a table, through the stack. Changes nothing but flags.</summary>
    public void LoadTable(uint address, int limit, bool isIdt)
    {
        var c = Asm;
        c.sub(esp, 8);
        c.mov(__word_ptr[esp], (short)limit);
        c.mov(__dword_ptr[esp + 2], address);
        if (isIdt)
        {
            c.lidt(__[esp]);
        }
        else
        {
            c.lgdt(__[esp]);
        }

        c.add(esp, 8);
    }

    /// <summary>Takes every handler away, so that the next exception is a triple fault.</summary>
    public void ForgetInterruptTable()
    {
        LoadTable(0, 0, isIdt: true);
    }

    public void Print(string text)
    {
        Asm.mov(esi, Text(text));
        Call(Routine.PutString);
    }

    public void Out(int port, int value)
    {
        Asm.mov(edx, port);
        Asm.mov(al, unchecked((sbyte)value));
        Asm.@out(dx, al);
    }

    /// <summary>Waits until the last character has left the line, then switches the machine off.</summary>
    public void PowerOff() => Jump(Routine.PowerOff);
}
