using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Tests.Boot;
using VirtShell.State;
using VirtShell.State.Tests.Mutation;
using VirtShell.Storage;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests;

/// <summary>Damaged copies of boot images and of saved states: each loads or is refused in the documented way, and what loads runs without harm.</summary>
public sealed class LoadMutationTests
{
    private const long MiB = 1 << 20;
    private const long InstructionsAfterLoad = 200;

    [Fact]
    public void Linux_kernels()
    {
        byte[] kernel = LinuxLoaderTests.Kernel();
        using Pc machine = new(new MachineConfiguration { MemoryBytes = 64 << 20, Boot = new LinuxBoot(kernel, new byte[5000], "quiet") });
        MutationRun.Check("Linux kernels", [kernel], ["HdrS", "\u007fELF"], Load, 16 * MiB, typeof(MachineBootException));

        void Load(byte[] copy) => LinuxLoader.Load(new LinuxBoot(copy, new byte[5000], "quiet"), machine.Cpu, CpuModel.X86_64_V3, machine.Memory, MemoryMap.FirmwareStart);
    }

    [Fact]
    public void Multiboot_images()
    {
        byte[][] goods = [MultibootImages.Flat(Spin), MultibootImages.Elf(wide: false, Spin), MultibootImages.Elf(wide: true, Spin)];
        using Pc machine = new(new MachineConfiguration { MemoryBytes = 8 << 20, Boot = new MultibootBoot(goods[0], "") });
        MutationRun.Check("Multiboot images", goods, ["\u007fELF", "\u0002\u00b0\u00ad\u001b"], copy => MultibootLoader.Load(new MultibootBoot(copy, "a"), machine.Cpu, machine.Memory), 16 * MiB, typeof(MachineBootException));
    }

    [Fact]
    public void Multiboot_2_images()
    {
        byte[][] goods = [MultibootImages.Second("flat", Spin), MultibootImages.Second("elf32", Spin), MultibootImages.Second("elf64", Spin)];
        using Pc machine = new(new MachineConfiguration { MemoryBytes = 8 << 20, Boot = new MultibootBoot(goods[0], "") });
        MutationRun.Check("Multiboot 2 images", goods, ["\u007fELF", "\u00d6\u0050\u0052\u00e8"], copy => Multiboot2Loader.Load(new MultibootBoot(copy, "a"), machine.Cpu, machine.Memory, MemoryMap.FirmwareStart), 16 * MiB, typeof(MachineBootException));
    }

    [Fact]
    public void Saved_states()
    {
        MachineConfiguration configuration = new()
        {
            MemoryBytes = 2 << 20,
            Boot = new MultibootBoot(MultibootImages.Flat(Spin), ""),
            Disks = [new DiskAttachment(new MemoryDisk(4096), "disk")],
            Drives = TestBoard.SomeDrives(),
        };
        using Pc machine = new(configuration);
        List<byte[]> goods = [];
        foreach (long at in (long[])[1, 1000, 50_000])
        {
            machine.Run(at);
            using MemoryStream state = new();
            machine.Save(state);
            goods.Add(state.ToArray());
        }

        MutationRun.Check("saved states", goods, ["machine", "processor", "clock", "memory", "version"], Load, 64 * MiB, typeof(StateFormatException));

        void Load(byte[] copy)
        {
            machine.Load(copy);
            machine.Run(InstructionsAfterLoad);
        }
    }

    private static void Spin(Assembler a)
    {
        Label loop = a.CreateLabel();
        a.Label(ref loop);
        a.inc(eax);
        a.push(eax);
        a.pop(ebx);
        a.jmp(loop);
    }
}
