using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The i440FX's attribute map: what reads find and what writes change, and that both engines see it at once.</summary>
public sealed class ShadowMemoryTests
{
    private const int Map = 0x59;
    private const int HostBridge = 0;
    private const byte Rom = 0xA5;

    private readonly TestBoard _rig = TestBoard.WithFirmware();

    public ShadowMemoryTests() => _rig.Board.Find<I440FxHostBridge>()!.PowerOnMemory(Enumerable.Repeat(Rom, 128 << 10).ToArray());

    private PhysicalMemory Memory => _rig.Board.Memory;

    /// <summary>Address, the register's offset and value, and which pages it makes of the segment.</summary>
    [Theory]
    [InlineData(0xF0000, 0, 0x10, PageKinds.Rom)]
    [InlineData(0xFC000, 0, 0x30, PageKinds.Ram)]
    [InlineData(0xF0000, 0, 0x20, PageKinds.Rom)]
    [InlineData(0xC0000, 1, 0x01, PageKinds.Rom)]
    [InlineData(0xC0000, 1, 0x03, PageKinds.Ram)]
    [InlineData(0xC4000, 1, 0x30, PageKinds.Ram)]
    [InlineData(0xC4000, 1, 0x20, PageKinds.None)]
    [InlineData(0xC8000, 2, 0x03, PageKinds.Ram)]
    [InlineData(0xD0000, 3, 0x03, PageKinds.Ram)]
    [InlineData(0xDC000, 4, 0x30, PageKinds.Ram)]
    [InlineData(0xE0000, 5, 0x03, PageKinds.Ram)]
    [InlineData(0xEC000, 6, 0x30, PageKinds.Ram)]
    [InlineData(0xEC000, 6, 0x20, PageKinds.Rom)]
    public void A_register_rules_the_segments_that_the_datasheet_gives_it(int address, int register, int value, PageKinds expected)
    {
        PageKinds[] before = Kinds();
        Set(register, value);
        PageKinds[] after = Kinds();
        Assert.Equal(expected, Memory.KindOf((ulong)address));
        Assert.All(Enumerable.Range(0, before.Length).Where(i => before[i] != after[i]), i =>
        {
            int start = address >= 0xF0000 ? 0xF0000 : address;
            Assert.InRange(0xC0000 + (i << 12), start, start + (address >= 0xF0000 ? 0xFFFF : 0x3FFF));
        });
    }

    [Fact]
    public void Ram_keeps_its_content_while_reads_find_the_rom()
    {
        Set(0, 0x30);
        Assert.Equal(0, Byte(0xF0000));
        Memory.Write(0xF0000, [0x11]);
        Set(0, 0x00);
        Assert.Equal(Rom, Byte(0xF0000));
        Assert.False(Memory.Write(0xF0000, [0x22]));
        Set(0, 0x10);
        Assert.Equal(0x11, Byte(0xF0000));
        Assert.False(Memory.Write(0xF0000, [0x22]));
        Assert.Equal(0x11, Byte(0xF0000));
    }

    [Fact]
    public void Firmware_copies_itself_to_the_ram_below_it()
    {
        Set(0, 0x20);
        for (ulong at = 0xF0000; at < 0x100000; at += 4)
        {
            _rig.Bus.WriteMmio(at, 4, Memory.ReadUInt32(at));
        }

        _rig.Bus.WriteMmio(0xFFFFF, 1, 0x77);
        Assert.Equal(Rom, Byte(0xFFFFF));
        Set(0, 0x10);
        Assert.Equal([Rom, Rom, 0x77], [Byte(0xF0000), Byte(0xFFFFE), Byte(0xFFFFF)]);
    }

    [Fact]
    public void Nothing_stands_where_neither_ram_nor_rom_does()
    {
        Assert.Equal(0xFF, Byte(0xC8000));
        _rig.Bus.WriteMmio(0xC8000, 4, 0x12345678);
        Set(2, 0x03);
        Assert.Equal(0, Byte(0xC8000));
    }

    [Fact]
    public void A_machine_that_is_started_directly_has_no_attribute_map()
    {
        TestBoard direct = new();
        PciTestMachine.WriteConfig(direct.Bus, HostBridge, 0, Map, 1, 0x30);
        Assert.Equal(0u, PciTestMachine.ReadConfig(direct.Bus, HostBridge, 0, Map, 1));
        Assert.Equal(PageKinds.Ram, direct.Board.Memory.KindOf(0xF0000));
    }

    /// <summary>
    /// Code in RAM at 0:1000h shadows the ROM that it then runs in, changes an instruction there, sees it changed, takes RAM's place away again and sees the
    /// ROM's own; what each of the calls gave goes to the debug console, on both engines and over a saved state.
    /// </summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, false)]
    [InlineData(EngineKind.Auto, false)]
    [InlineData(EngineKind.Interpreter, true)]
    [InlineData(EngineKind.Auto, true)]
    public void Both_engines_run_what_the_map_shows_at_once(EngineKind engine, bool reloads)
    {
        // At F000:0100 of the ROM: mov al, 'R'; retf.
        byte[] routine = [0xB0, (byte)'R', 0xCB];
        Iced.Intel.Assembler a = new(16);
        void Attributes(byte value)
        {
            a.mov(Iced.Intel.AssemblerRegisters.eax, unchecked((int)0x80000058));
            a.mov(Iced.Intel.AssemblerRegisters.dx, 0xCF8);
            a.@out(Iced.Intel.AssemblerRegisters.dx, Iced.Intel.AssemblerRegisters.eax);
            a.mov(Iced.Intel.AssemblerRegisters.dx, 0xCFD);
            a.mov(Iced.Intel.AssemblerRegisters.al, value);
            a.@out(Iced.Intel.AssemblerRegisters.dx, Iced.Intel.AssemblerRegisters.al);
        }

        void Call()
        {
            a.db(0x9A, 0x00, 0x01, 0x00, 0xF0);
            a.@out((byte)0xE9, Iced.Intel.AssemblerRegisters.al);
        }

        void Patch(byte letter)
        {
            a.mov(Iced.Intel.AssemblerRegisters.ax, 0xF000);
            a.mov(Iced.Intel.AssemblerRegisters.ds, Iced.Intel.AssemblerRegisters.ax);
            a.mov(Iced.Intel.AssemblerRegisters.__byte_ptr[0x101], letter);
        }

        a.mov(Iced.Intel.AssemblerRegisters.sp, 0x8000);
        Call();
        Patch((byte)'x');
        Call();
        Attributes(0x30);
        a.mov(Iced.Intel.AssemblerRegisters.ax, 0xF000);
        a.mov(Iced.Intel.AssemblerRegisters.ds, Iced.Intel.AssemblerRegisters.ax);
        a.mov(Iced.Intel.AssemblerRegisters.__byte_ptr[0x100], 0xB0);
        a.mov(Iced.Intel.AssemblerRegisters.__byte_ptr[0x102], 0xCB);
        Patch((byte)'A');
        Call();
        Patch((byte)'B');
        Call();
        Attributes(0x10);
        Patch((byte)'C');
        Call();
        Attributes(0x00);
        Call();
        Attributes(0x20);
        Patch((byte)'D');
        Call();
        Attributes(0x30);
        Call();
        a.mov(Iced.Intel.AssemblerRegisters.dx, 0x501);
        a.@out(Iced.Intel.AssemblerRegisters.dx, Iced.Intel.AssemblerRegisters.al);
        using MemoryStream assembled = new();
        a.Assemble(new Iced.Intel.StreamCodeWriter(assembled), 0x1000);

        // The ROM copies it to 0:1000h and goes there: xor ax, ax; mov es, ax; mov ss, ax; mov di, 1000h; mov si, 200h; mov cx, n; cs rep movsb; jmp 0:1000h.
        byte[] code = assembled.ToArray();
        byte[] start = [0x31, 0xC0, 0x8E, 0xC0, 0x8E, 0xD0, 0xBF, 0x00, 0x10, 0xBE, 0x00, 0x02, 0xB9, (byte)code.Length, (byte)(code.Length >> 8), 0x2E, 0xF3, 0xA4, 0xEA, 0x00, 0x10, 0x00, 0x00];
        byte[] whole = new byte[0x200 + code.Length];
        start.CopyTo(whole, 0);
        routine.CopyTo(whole, 0x100);
        code.CopyTo(whole, 0x200);
        MachineConfiguration configuration = new() { MemoryBytes = 2 << 20, Engine = engine, Boot = new RomBoot(RomImages.Of(whole)) };
        Pc machine = new(configuration);
        StringBuilder said = new();
        try
        {
            MachineExit exit;
            do
            {
                machine.SerialOutput = (_, value) => said.Append((char)value);
                exit = machine.Run(reloads ? 7 : 100_000);
                if (reloads)
                {
                    byte[] state = machine.Save();
                    machine.Dispose();
                    machine = Pc.FromState(configuration, new MemoryStream(state));
                }
            }
            while (exit.Kind == MachineExitKind.QuantumSpent && machine.Instructions < 100_000);

            Assert.Equal(MachineExitKind.DebugExit, exit.Kind);
            Assert.Equal("RRABBRRD", said.ToString());
        }
        finally
        {
            machine.Dispose();
        }
    }

    private PageKinds[] Kinds() => [.. Enumerable.Range(0, 64).Select(i => Memory.KindOf(0xC0000 + ((ulong)i << 12)))];

    private void Set(int register, int value) => PciTestMachine.WriteConfig(_rig.Bus, HostBridge, 0, Map + register, 1, (uint)value);

    private byte Byte(ulong address)
    {
        byte[] value = [0];
        Memory.Read(address, value);
        return value[0];
    }
}
