using System;
using System.Buffers.Binary;
using System.Text;
using VirtShell.Cpu;
using Xunit;

namespace VirtShell.Machine.Tests.Boot;

/// <summary>ELF kernels without a Multiboot header: PVH, and uncompressed Linux kernels.</summary>
public sealed class ElfKernelTests
{
    private const int NoteStart = 0x200;
    private const uint PvhEntry = 0x10_0040;
    private const ulong BootParams = 0x9_0000;

    [Theory]
    [InlineData(false, 4, CpuModel.X86_64_V3)]
    [InlineData(true, 8, CpuModel.X86_64_V3)]
    [InlineData(true, 4, CpuModel.Pentium3)]
    public void A_kernel_with_the_pvh_note_gets_its_start_information(bool wide, int noteLength, CpuModel model)
    {
        using Pc machine = new(Configuration(Kernel(wide, noteLength), new byte[5000], "a b", model));
        ulong start = machine.Cpu.GetRegister(3);
        Assert.Equal(0x336E_C578u, machine.Memory.ReadUInt32(start));
        Assert.Equal(1u, machine.Memory.ReadUInt32(start + 4));
        Assert.Equal(0u, machine.Memory.ReadUInt32(start + 8));
        Assert.Equal(1u, machine.Memory.ReadUInt32(start + 12));
        ulong module = machine.Memory.ReadUInt64(start + 16);
        Assert.Equal((64ul << 20) - 8192, machine.Memory.ReadUInt64(module));
        Assert.Equal(5000ul, machine.Memory.ReadUInt64(module + 8));
        Assert.Equal("a b\0", Text(machine, machine.Memory.ReadUInt64(start + 24), 4));
        Assert.Equal("RSD PTR ", Text(machine, machine.Memory.ReadUInt64(start + 32), 8));
        ulong map = machine.Memory.ReadUInt64(start + 40);
        Assert.Equal(6u, machine.Memory.ReadUInt32(start + 48));
        Assert.Equal((0ul, 0x9_FC00ul, 1u), (machine.Memory.ReadUInt64(map), machine.Memory.ReadUInt64(map + 8), machine.Memory.ReadUInt32(map + 16)));
        unsafe
        {
            CpuState* state = machine.Cpu.State;
            Assert.Equal((ulong)PvhEntry, state->Rip);
            Assert.Equal(1ul, state->Cr0 & 0x8000_0001);
            Assert.Equal(0ul, state->Cr4 | state->Efer);
            Assert.Equal((0ul, 0xFFFF_FFFFul), (state->Cs.Base, state->Cs.Limit));
            Assert.Equal(0x67u, state->Tr.Limit);
        }

        Assert.False(machine.Cpu.InterruptsEnabled);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void An_uncompressed_Linux_kernel_is_entered_with_boot_params(bool wide, bool longMode)
    {
        byte[] kernel = Kernel(wide, noteLength: 0);
        "Linux version 6"u8.CopyTo(kernel.AsSpan(0x300));
        using Pc machine = new(Configuration(kernel, new byte[100], "a b", CpuModel.X86_64_V3));
        Assert.Equal(BootParams, machine.Cpu.GetRegister(6));
        Assert.Equal(0x5372_6448u, machine.Memory.ReadUInt32(BootParams + 0x202));
        Assert.Equal(100u, machine.Memory.ReadUInt32(BootParams + 0x21C));
        Assert.Equal("a b\0", Text(machine, machine.Memory.ReadUInt32(BootParams + 0x228), 4));
        unsafe
        {
            Assert.Equal(0x10_0000ul, machine.Cpu.State->Rip);
            Assert.Equal(longMode, machine.Cpu.State->Efer != 0);
        }
    }

    [Theory]
    [InlineData("nothing", "no way to start it")]
    [InlineData("other-note", "no way to start it")]
    [InlineData("other-name", "no way to start it")]
    [InlineData("long-note", "no way to start it")]
    [InlineData("cut", "cut short")]
    [InlineData("not-elf", "not an ELF file")]
    [InlineData("line", "at most")]
    [InlineData("initrd", "does not fit above")]
    [InlineData("model", "has no long mode")]
    public void What_cannot_start_is_explained(string damage, string message)
    {
        byte[] kernel = Kernel(wide: true, damage is "nothing" or "model" ? 0 : 4);
        string line = damage == "line" ? new string('x', 40000) : string.Empty;
        byte[] initrd = new byte[damage == "initrd" ? 64 << 20 : 0];
        switch (damage)
        {
            case "other-note":
                kernel[NoteStart + 8] = 6;
                break;
            case "other-name":
                kernel[NoteStart + 12] = (byte)'Y';
                break;
            case "long-note":
                BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(NoteStart), uint.MaxValue);
                break;
            case "cut":
                kernel = kernel[..(NoteStart + 4)];
                break;
            case "not-elf":
                kernel[0] = 0;
                break;
            case "model":
                "Linux version 6"u8.CopyTo(kernel.AsSpan(0x300));
                break;
        }

        CpuModel model = damage == "model" ? CpuModel.Pentium3 : CpuModel.X86_64_V3;
        Assert.Contains(message, Assert.Throws<MachineBootException>(() => new Pc(Configuration(kernel, initrd, line, model))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Random_damage_never_gives_another_error()
    {
        Random random = new(13);
        byte[] whole = Kernel(wide: true, noteLength: 4);
        for (int i = 0; i < 150; i++)
        {
            byte[] kernel = whole.AsSpan(0, random.Next(4) == 0 ? random.Next(whole.Length) : whole.Length).ToArray();
            for (int n = random.Next(6); n > 0 && kernel.Length > 0; n--)
            {
                kernel[random.Next(Math.Min(kernel.Length, NoteStart + 20))] = (byte)random.Next(256);
            }

            try
            {
                using Pc machine = new(Configuration(kernel, new byte[10], "x", CpuModel.X86_64_V3));
            }
            catch (MachineBootException)
            {
            }
        }
    }

    private static string Text(Pc machine, ulong address, int length)
    {
        byte[] bytes = new byte[length];
        machine.Memory.Read(address, bytes);
        return Encoding.ASCII.GetString(bytes);
    }

    private static MachineConfiguration Configuration(byte[] image, byte[] initrd, string line, CpuModel model) =>
        new() { MemoryBytes = 64 << 20, CpuModel = model, Boot = new ElfBoot(image, initrd, line) };

    // One segment that loads the file's bytes from 100h to 1 MiB, where its entry is, and perhaps a segment of notes: another one, and Xen's.
    private static byte[] Kernel(bool wide, int noteLength)
    {
        byte[] image = new byte[0x400];
        Span<byte> i = image;
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', (byte)(wide ? 2 : 1), 1, 1 }.CopyTo(i);
        BinaryPrimitives.WriteUInt16LittleEndian(i[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(i[18..], (ushort)(wide ? 62 : 3));
        int header = wide ? 64 : 52;
        int program = wide ? 56 : 32;
        BinaryPrimitives.WriteUInt32LittleEndian(i[24..], 0x10_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(i[(wide ? 32 : 28)..], (uint)header);
        BinaryPrimitives.WriteUInt16LittleEndian(i[(wide ? 54 : 42)..], (ushort)program);
        BinaryPrimitives.WriteUInt16LittleEndian(i[(wide ? 56 : 44)..], (ushort)(noteLength == 0 ? 1 : 2));
        WriteProgram(i[header..], wide, type: 1, offset: 0x100, address: 0x10_0000, length: 0x300);
        if (noteLength != 0)
        {
            WriteProgram(i[(header + program)..], wide, type: 4, offset: NoteStart - 0x18, address: 0x10_00E8, length: 0x18 + 16 + noteLength);
            uint[] other = [2, 5, 1, 'A', 0, 0];
            for (int n = 0; n < other.Length; n++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(i[(NoteStart - 0x18 + (4 * n))..], other[n]);
            }

            uint[] note = [4, (uint)noteLength, 18, 'X' | ('e' << 8) | ('n' << 16), PvhEntry];
            for (int n = 0; n < note.Length; n++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(i[(NoteStart + (4 * n))..], note[n]);
            }
        }

        return image;
    }

    private static void WriteProgram(Span<byte> at, bool wide, uint type, int offset, uint address, int length)
    {
        uint[] values = [(uint)offset, address, address, (uint)length, (uint)length];
        BinaryPrimitives.WriteUInt32LittleEndian(at, type);
        for (int n = 0; n < values.Length; n++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(at[(wide ? 8 + (8 * n) : 4 + (4 * n))..], values[n]);
        }
    }
}
