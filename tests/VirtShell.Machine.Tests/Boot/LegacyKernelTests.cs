using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests.Boot;

/// <summary>Kernels of the first boot protocols, made up here: those whose decompressor takes all of low memory, and those that are entered in real mode.</summary>
public sealed class LegacyKernelTests
{
    private const int SetupLength = 4 * 512;
    private const int CodeOffset = 0x70;
    private const ulong Results = 0x7000;
    private const int Passed = 42;
    private const string NoEntry = "\0";
    private const int RoutineOffset = 0x200;

    /// <summary>What decompressors up to Linux 2.6.15 do: write over 1000h up to boot_params, go on from a routine at 1000h, and load segments all over again.</summary>
    [Theory]
    [InlineData(0x200)]
    [InlineData(0x201)]
    [InlineData(0x202)]
    [InlineData(0x203)]
    public void Low_memory_belongs_to_the_decompressor(int version)
    {
        byte[] main = Assemble(32, 0x10_0000, c =>
        {
            c.mov(ebx, esi);
            LoadSegments(c);
            c.mov(esp, 0x11_0000);
            c.mov(edi, 0x1000);
            c.mov(ecx, ebx);
            c.sub(ecx, edi);
            c.shr(ecx, 2);
            c.mov(eax, 0xCCCC_CCCC);
            c.rep.stosd();
            c.mov(esi, 0x10_0000 + RoutineOffset);
            c.mov(edi, 0x1000);
            c.mov(ecx, 256);
            c.rep.movsb();
            c.jmp(0x10, 0x1000u);
        });
        byte[] routine = Assemble(32, 0x1000, c =>
        {
            Label fail = c.CreateLabel();
            LoadSegments(c);
            c.cmp(__dword_ptr[ebx + 0x202], 0x5372_6448);
            c.jne(fail);
            if (version >= 0x202)
            {
                c.mov(esi, __dword_ptr[ebx + 0x228]);
            }
            else
            {
                c.cmp(__word_ptr[0x9_0020], 0xA33F);
                c.jne(fail);
                c.movzx(esi, __word_ptr[0x9_0022]);
                c.add(esi, 0x9_0000);
            }

            c.cmp(__dword_ptr[esi], 0x64_6C6F); // "old"
            c.jne(fail);
            c.mov(eax, Passed);
            c.Label(ref fail);
            c.mov(dx, 0x501);
            c.@out(dx, eax);
            c.hlt();
        });
        byte[] system = new byte[RoutineOffset + 256];
        main.CopyTo(system, 0);
        routine.CopyTo(system, RoutineOffset);
        byte[] kernel = Image(version, isHigh: true, _ => { }, system);
        using Pc machine = new(Configuration(kernel, "old"));
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, Passed), machine.Run(1_000_000));
    }

    public static TheoryData<int, bool, string> RealModeKernels => new()
    {
        { 0, false, "" },
        { 0x200, false, "" },
        { 0x203, false, "" },
        { 0x203, true, "MEMDISK 3" },
        { 0x207, true, "iPXE 1" },
        { 0x207, true, NoEntry + "1.0" },
    };

    [Theory]
    [MemberData(nameof(RealModeKernels))]
    public void Kernels_that_need_it_are_entered_in_real_mode(int version, bool isHigh, string name)
    {
        byte[] kernel = Image(version, isHigh, c =>
        {
            c.mov(ax, ds);
            c.xor(bx, bx);
            c.mov(es, bx);
            c.mov(EsWord(0), ax);
            c.mov(EsWord(2), cs);
            c.mov(EsWord(4), ss);
            c.mov(EsWord(6), sp);
            c.mov(ax, 0x0E00 | 'h');
            c.@int(0x10);
            c.mov(dx, 0x3F8);
            c.mov(al, (byte)'i');
            c.@out(dx, al);
            c.int3();
            c.mov(dx, 0x501);
            c.mov(eax, Passed);
            c.@out(dx, eax);
            c.hlt();
        }, [0x78, 0x56, 0x34, 0x12], name);
        using Pc machine = new(Configuration(kernel, "line of words"));
        List<byte> sent = [];
        machine.SerialOutput = (_, b) => sent.Add(b);
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, Passed), machine.Run(1_000_000));
        Assert.Equal("hi", Encoding.ASCII.GetString(sent.ToArray()));
        Assert.Equal((0x9000, 0x9020, 0x9000), (machine.Memory.ReadUInt16(Results), machine.Memory.ReadUInt16(Results + 2), machine.Memory.ReadUInt16(Results + 4)));
        Assert.Equal(0x1234_5678u, machine.Memory.ReadUInt32(isHigh ? 0x10_0000ul : 0x1_0000ul));
        ulong line = version >= 0x202 ? machine.Memory.ReadUInt32(0x9_0228) : 0x9_0000ul + machine.Memory.ReadUInt16(0x9_0022);
        byte[] text = new byte[14];
        machine.Memory.Read(line, text);
        Assert.Equal("line of words\0", Encoding.ASCII.GetString(text));
        Assert.Equal(line & 0xFFFF, machine.Memory.ReadUInt16(Results + 6));
        if (version >= 0x201)
        {
            Assert.Equal((line & 0xFFFF) - 0x200, machine.Memory.ReadUInt16(0x9_0224));
        }
    }

    [Fact]
    public void Real_mode_programs_find_memory_keys_and_ticks()
    {
        byte[] kernel = Image(0x203, isHigh: false, c =>
        {
            Label next = c.CreateLabel();
            Label mapped = c.CreateLabel();
            Label wait = c.CreateLabel();
            c.xor(ax, ax);
            c.mov(es, ax);
            c.@int(0x12);
            c.mov(EsWord(0), ax);
            c.mov(ax, 0xE801);
            c.@int(0x15);
            c.mov(EsWord(2), ax);
            c.mov(EsWord(4), bx);
            c.mov(ah, 0x88);
            c.@int(0x15);
            c.mov(EsWord(6), ax);
            c.xor(ebx, ebx);
            c.mov(di, (ushort)Results + 0x100);
            c.Label(ref next);
            c.mov(eax, 0xE820);
            c.mov(edx, 0x534D_4150);
            c.mov(ecx, 20);
            c.@int(0x15);
            c.jc(mapped);
            c.add(di, 20);
            c.test(ebx, ebx);
            c.jnz(next);
            c.Label(ref mapped);
            c.mov(EsWord(8), di);
            c.mov(ah, 0x01);
            c.@int(0x16);
            c.mov(ah, 0);
            c.@int(0x16);
            c.mov(EsWord(10), ax);
            c.mov(ah, 0x41);
            c.stc();
            c.@int(0x15);
            c.setc(bl);
            c.mov(bh, ah);
            c.mov(EsWord(12), bx);
            c.sti();
            c.Label(ref wait);
            c.hlt();
            c.mov(ah, 0);
            c.@int(0x1A);
            c.cmp(dx, 2);
            c.jb(wait);
            c.mov(dx, 0x501);
            c.mov(eax, Passed);
            c.@out(dx, eax);
            c.hlt();
        }, [1]);
        using Pc machine = new(Configuration(kernel, string.Empty));
        machine.SendSerial(Outlet.Com1, "k"u8);
        Assert.Equal(new MachineExit(MachineExitKind.DebugExit, Passed), machine.Run(10_000_000));
        ushort At(int offset) => machine.Memory.ReadUInt16(Results + (ulong)offset);
        Assert.Equal((639, 15 * 1024, (64 - 16) * 16, 63 * 1024), (At(0), At(2), At(4), At(6)));
        Assert.Equal((int)Results + 0x100 + (6 * 20), At(8));
        Assert.Equal(0x9_FC00ul, machine.Memory.ReadUInt64(Results + 0x108));
        Assert.Equal('k', At(10));
        Assert.Equal(0x8601, At(12));

        // The 8254's output rises when it is set up, which is the first tick; the second comes 54.9 ms later.
        Assert.InRange(machine.GuestTime, 54_000_000, 56_000_000);
    }

    private static AssemblerMemoryOperand EsWord(int offset) => __word_ptr.es[(long)Results + offset];

    private static void LoadSegments(Assembler c)
    {
        c.mov(eax, 0x18);
        c.mov(ds, eax);
        c.mov(es, eax);
        c.mov(fs, eax);
        c.mov(gs, eax);
        c.mov(ss, eax);
    }

    private static MachineConfiguration Configuration(byte[] kernel, string line) =>
        new() { MemoryBytes = 64 << 20, Boot = new LinuxBoot(kernel, default, line) };

    private static byte[] Image(int version, bool isHigh, Action<Assembler> setup, byte[] system, string name = "")
    {
        byte[] image = new byte[SetupLength + 512 + system.Length];
        image[0x1F1] = SetupLength / 512;
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1F4), (ushort)((system.Length + 15) / 16));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1FE), 0xAA55);
        image[0x200] = 0xEB;
        image[0x201] = CodeOffset - 2;
        if (version != 0)
        {
            "HdrS"u8.CopyTo(image.AsSpan(0x202));
            BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), (ushort)version);
            image[0x211] = (byte)(isHigh ? 1 : 0);
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x214), name.StartsWith(NoEntry, StringComparison.Ordinal) ? 0 : isHigh ? 0x10_0000u : 0x1000u);
        }

        if (version >= 0x203)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x22C), 0x37FF_FFFF);
        }

        if (version >= 0x206)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x238), 255);
        }

        if (name.Length > 0)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x20E), 0x400);
            Encoding.ASCII.GetBytes(name.TrimStart('\0')).CopyTo(image, 0x600);
        }

        byte[] code = Assemble(16, CodeOffset, setup);
        code.CopyTo(image, 0x200 + CodeOffset);
        system.CopyTo(image, SetupLength + 512);
        return image;
    }

    private static byte[] Assemble(int bitness, ulong address, Action<Assembler> code)
    {
        Assembler assembler = new(bitness);
        code(assembler);
        if (assembler.Instructions.Count == 0)
        {
            return [];
        }

        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        return stream.ToArray();
    }
}
