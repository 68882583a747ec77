using System;
using System.Collections.Generic;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Drives;
using VirtShell.Storage;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Machine.Tests.Bios;

/// <summary>A machine that starts by the BIOS, and what came out of it.</summary>
internal sealed class BiosMachine : IDisposable
{
    public const long Enough = 200_000_000;
    private readonly List<byte> _sent = [];

    public BiosMachine(EngineKind engine, IReadOnlyList<Drive> drives, IReadOnlyList<IBlockDevice>? disks = null, string[]? parts = null, ulong memory = 32 << 20, DriveKind[]? order = null)
    {
        List<DiskAttachment> attached = [];
        foreach (IBlockDevice disk in disks ?? [])
        {
            attached.Add(new DiskAttachment(disk, $"disk{attached.Count}"));
        }

        Machine = new Pc(new MachineConfiguration
        {
            MemoryBytes = memory,
            Engine = engine,
            Boot = new BiosBoot(order ?? [DriveKind.Floppy, DriveKind.Cd, DriveKind.HardDisk]),
            Drives = drives,
            Disks = attached,
            Parts = PartSettings.Parse(MachineModel.Pc, parts ?? []),
        });
        Machine.SerialOutput = (outlet, b) =>
        {
            if (outlet == Outlet.Com1)
            {
                _sent.Add(b);
            }
        };
    }

    public Pc Machine { get; }

    /// <summary>What COM1 sent.</summary>
    public string Sent => Encoding.UTF8.GetString([.. _sent]);

    /// <summary>The text screen.</summary>
    public string Screen => Machine.Screen!.Capture(withPicture: false).Text;

    /// <summary>Runs a boot sector on a floppy, which ends with its debug exit; gives the machine for a look.</summary>
    public static BiosMachine RunFloppy(EngineKind engine, Action<Assembler> write, int code = 0, string[]? parts = null)
    {
        BiosMachine machine = new(engine, [BootSector.Floppy(BootSector.Disk(BootSector.Make(write), 1474560))], parts: parts);
        MachineExit exit = machine.Machine.Run(Enough);
        Xunit.Assert.Equal(new MachineExit(MachineExitKind.DebugExit, code), exit);
        return machine;
    }

    /// <summary>Ends with a code.</summary>
    public static void Exit(Assembler c, int code = 0)
    {
        c.mov(dx, BootSector.DebugExit);
        c.mov(eax, code);
        c.@out(dx, eax);
        c.hlt();
    }

    /// <summary>Runs until the screen or the serial line shows a text; gives whether it did.</summary>
    public bool RunUntil(string text, long most)
    {
        const long Step = 2_000_000;
        for (long done = 0; done < most; done += Step)
        {
            if (Machine.Run(Step).Kind != MachineExitKind.QuantumSpent || Shows(text))
            {
                break;
            }
        }

        return Shows(text);
    }

    /// <summary>Types on the serial console.</summary>
    public void Type(string text) => Machine.SendSerial(Outlet.Com1, Encoding.ASCII.GetBytes(text));

    public void Dispose() => Machine.Dispose();

    private bool Shows(string text) => Sent.Contains(text, StringComparison.Ordinal) || (Machine.Screen is not null && Screen.Contains(text, StringComparison.Ordinal));
}
