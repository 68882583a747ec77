using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Storage;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests.Bios;

/// <summary>What the ROM's call instruction is: a call where the ROM stands, in any mode, and undefined elsewhere.</summary>
public sealed class FirmwareCallTests
{
    private const int Directory = 0x3000;
    private const int Table = 0x4000;
    private const int Tss = 0x5000;
    private const int Gdt = 0x7D80;
    private const int Elsewhere = 0x2_0000;
    private const int Buffer = 0x8000;

    public static TheoryData<EngineKind> Engines => new() { EngineKind.Interpreter, EngineKind.Auto };

    [Theory]
    [MemberData(nameof(Engines))]
    public void Elsewhere_it_is_undefined(EngineKind engine)
    {
        using BiosMachine machine = BiosMachine.RunFloppy(
            engine,
            c =>
            {
                // What the call leaves on the stack is the handler's address.
                Label start = c.CreateLabel();
                c.call(start);
                BiosMachine.Exit(c, 6);
                c.Label(ref start);
                c.pop(__word_ptr[6 * 4]);
                c.mov(__word_ptr[(6 * 4) + 2], cs);
                c.vmcall();
                BiosMachine.Exit(c, 1);
            },
            code: 6);
    }

    /// <summary>In the ROM, but where no service belongs to it: the byte before the first font is none of ours to call.</summary>
    [Fact]
    public void Firmware_answers_for_addresses_of_services_alone()
    {
        using BiosMachine machine = BiosMachine.RunFloppy(EngineKind.Auto, c => BiosMachine.Exit(c));
        Assert.NotNull(machine.Machine.Cpu.Firmware);
        for (uint at = Vcpu.FirmwareStart; at < Vcpu.FirmwareStart + 0x4000; at++)
        {
            Assert.Equal(FirmwareReturn.None, machine.Machine.Cpu.Firmware.Call(at));
        }
    }

    /// <summary>
    /// From virtual-8086 mode below paging, without permission for any port: a sector goes where the page tables say, text appears, and the
    /// machine is switched off by INT 15h.
    /// </summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Services_work_from_virtual_8086_mode_through_paging(EngineKind engine)
    {
        byte[] sector = BootSector.Make(c =>
        {
            Label fill = c.CreateLabel();
            Label start = c.CreateLabel();
            c.cli();
            c.xor(ebp, ebp);

            // What the call leaves on the stack is where virtual-8086 mode begins.
            c.call(start);
            c.mov(ax, 0x0201);
            c.mov(bx, Buffer);
            c.mov(cx, 1);
            c.xor(dx, dx);
            c.@int(0x13);
            c.mov(ax, (ushort)(0x0E00 | 'v'));
            c.@int(0x10);
            c.mov(ax, 0x5307);
            c.mov(bx, 1);
            c.mov(cx, 3);
            c.@int(0x15);
            c.hlt();
            c.Label(ref start);
            c.pop(bp);
            c.mov(di, Table);
            c.mov(eax, 7);
            c.Label(ref fill);
            c.mov(__dword_ptr[di], eax);
            c.add(di, 4);
            c.add(eax, 0x1000);
            c.cmp(eax, 0x10_0007);
            c.jb(fill);
            c.mov(__dword_ptr[Table + (4 * (Buffer >> 12))], Elsewhere | 7);
            c.mov(__dword_ptr[Directory], Table | 7);

            // The bitmap of ports begins where the task state ends; that of interrupts before it lets all through.
            c.mov(__word_ptr[Tss + 102], 0x88);
            c.lgdt(__[Gdt - 6]);
            c.mov(eax, Directory);
            c.mov(cr3, eax);
            c.mov(eax, 1);
            c.mov(cr4, eax);
            c.mov(eax, cr0);
            c.or(eax, 0x8000_0001);
            c.mov(cr0, eax);
            c.mov(ax, 8);
            c.ltr(ax);
            c.xor(eax, eax);
            for (int i = 0; i < 4; i++)
            {
                c.push(eax);
            }

            c.push(eax);
            c.mov(ebx, 0x7000);
            c.push(ebx);
            c.mov(ebx, 0x2_3002);
            c.push(ebx);
            c.push(eax);
            c.push(ebp);
            c.iretd();
        });

        // The table's descriptor, then a null one and that of an available task state of 88h bytes.
        int at = Gdt - 0x7C00;
        new byte[] { 0x0F, 0, Gdt & 0xFF, Gdt >> 8, 0, 0 }.CopyTo(sector, at - 6);
        new byte[] { 0x87, 0, Tss & 0xFF, Tss >> 8, 0, 0x89, 0, 0 }.CopyTo(sector, at + 8);
        using MemoryDisk disk = BootSector.Disk(sector, 1474560);
        using BiosMachine machine = new(engine, [BootSector.Floppy(disk)]);
        Assert.Equal(MachineExitKind.PowerOff, machine.Machine.Run(BiosMachine.Enough).Kind);
        byte[] got = new byte[512];
        machine.Machine.Memory.Read(Elsewhere, got);
        Assert.Equal(sector, got);
        Assert.Equal("v", machine.Screen);
    }
}
