using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.EndToEnd.Tests;

/// <summary>Boot loaders off the shelf, started by the BIOS and asked for something.</summary>
public sealed class FirmwareTests
{
    private const long Most = 3_000_000_000;
    private const long Step = 5_000_000;

    /// <summary>Drive, image, what is waited for, what is typed then, and what answers; waiting and typing go on in pairs.</summary>
    public static TheoryData<EngineKind, DriveKind, string, string[]> Loaders
    {
        get
        {
            const string Rescue = "apt:grub-rescue-pc#usr/lib/grub-rescue/";
            string[] grub = ["highlighted entry", "c", "grub> ", "set x=4; echo an${x}swer\r", "an4swer"];
            TheoryData<EngineKind, DriveKind, string, string[]> rows = [];
            foreach (EngineKind engine in new[] { EngineKind.Interpreter, EngineKind.Auto })
            {
                rows.Add(engine, DriveKind.Floppy, Rescue + "grub-rescue-floppy.img", grub);
                rows.Add(engine, DriveKind.Cd, Rescue + "grub-rescue-cdrom.iso", grub);
                rows.Add(engine, DriveKind.HardDisk, Rescue + "grub-rescue-cdrom.iso", grub);
                rows.Add(engine, DriveKind.Cd, "apt:ipxe#usr/lib/ipxe/ipxe.iso", ["ISOLINUX", "", "Loading ipxe.krn... ok"]);
            }

            return rows;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Loaders))]
    public void A_boot_loader_comes_to_its_prompt_and_answers(EngineKind engine, DriveKind kind, string source, string[] talk)
    {
        Skip.If(Environment.GetEnvironmentVariable("VIRTSHELL_OFFLINE") is not null, "VIRTSHELL_OFFLINE is set: no packages are fetched.");
        Skip.IfNot(File.Exists("/usr/bin/apt-get"), "apt-get is missing: this system has no Debian packages.");
        string folder = Path.Combine(Path.GetTempPath(), "virtshell-tests-images");
        byte[] image = File.ReadAllBytes(new ImageResolver(folder).Resolve(source, Suites.Root).Path);
        using MemoryDisk disk = new((image.Length + 511) & ~511);
        disk.Write(0, image);
        DriveBus bus = kind == DriveKind.Floppy ? DriveBus.Floppy : DriveBus.Ide;
        using Pc machine = new(new MachineConfiguration
        {
            MemoryBytes = 64 << 20,
            Engine = engine,
            Boot = new BiosBoot([kind]),
            Drives = [new Drive(kind, bus, kind == DriveKind.Cd ? 2 : 0, disk, "loader")],
            Parts = PartSettings.Parse(MachineModel.Pc, ["bios.serial=on"]),
        });
        List<byte> sent = [];
        machine.SerialOutput = (_, b) => sent.Add(b);
        int from = 0;
        for (int i = 0; i < talk.Length; i++)
        {
            if (i % 2 == 1)
            {
                machine.SendSerial(Outlet.Com1, Encoding.ASCII.GetBytes(talk[i]));
                continue;
            }

            string text = Encoding.UTF8.GetString([.. sent]);
            for (long done = 0; done < Most && !text[from..].Contains(talk[i], StringComparison.Ordinal); done += Step)
            {
                Assert.Equal(MachineExitKind.QuantumSpent, machine.Run(Step).Kind);
                text = Encoding.UTF8.GetString([.. sent]);
            }

            Assert.Contains(talk[i], text[from..], StringComparison.Ordinal);
            from = text.Length;
        }
    }
}
