using System;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>What a drive takes.</summary>
public enum DriveKind
{
    /// <summary>A hard disk: sectors of 512 bytes, always there.</summary>
    HardDisk,

    /// <summary>A CD or DVD: sectors of 2,048 bytes, read only, removable.</summary>
    Cd,

    /// <summary>A floppy disk: sectors of 512 bytes, removable.</summary>
    Floppy,
}

/// <summary>What a drive is connected to.</summary>
public enum DriveBus
{
    /// <summary>The IDE controller: numbers 0 to 3 are primary master, primary slave, secondary master, secondary slave.</summary>
    Ide,

    /// <summary>The floppy controller: numbers 0 and 1 are A: and B:.</summary>
    Floppy,
}

/// <summary>
/// A drive of a machine, and what is in it. Controllers and firmware look at the same object, so that a medium changes for
/// both at once. Not thread-safe: media are changed by the thread that runs the machine.
/// </summary>
public sealed class Drive
{
    /// <param name="kind">What it takes.</param>
    /// <param name="bus">What it is connected to.</param>
    /// <param name="number">Its place there, from 0.</param>
    /// <param name="medium">What is in it; null leaves it empty, which a hard disk cannot be. The machine does not dispose it.</param>
    /// <param name="serial">The serial number that guests see, up to 20 characters.</param>
    public Drive(DriveKind kind, DriveBus bus, int number, IBlockDevice? medium, string serial)
    {
        if (kind == DriveKind.HardDisk && medium is null)
        {
            throw new ArgumentNullException(nameof(medium), "A hard disk cannot be without its medium.");
        }

        Kind = kind;
        Bus = bus;
        Number = number;
        Medium = medium;
        Serial = serial;
    }

    public DriveKind Kind { get; }

    public DriveBus Bus { get; }

    public int Number { get; }

    public string Serial { get; }

    /// <summary>What is in the drive; null when it is empty.</summary>
    [NotState("Belongs to who runs the machine; its controller shows the content of one in memory.")]
    public IBlockDevice? Medium { get; private set; }

    /// <summary>Whether a CD's tray is out: the guest moves it, and a new medium goes in with it closed.</summary>
    [NotState("Its controller shows it.")]
    public bool IsOpen { get; internal set; }

    /// <summary>What the drive can read: its medium, unless the tray is out.</summary>
    public IBlockDevice? Loaded => IsOpen ? null : Medium;

    /// <summary>How often a medium was put in or taken out since the machine was built.</summary>
    [NotState("Shown by the floppy drive that this is, which the BIOS asks.")]
    public int Changes { get; internal set; }

    /// <summary>Called when another medium is in the drive, or none. The controller sets it.</summary>
    public Action? MediumChanged { get; set; }

    /// <summary>Puts a medium in the drive in place of what was in it; null takes that out. The tray is closed.</summary>
    /// <exception cref="InvalidOperationException">A hard disk's medium stays.</exception>
    public void Change(IBlockDevice? medium)
    {
        if (Kind == DriveKind.HardDisk)
        {
            throw new InvalidOperationException("A hard disk's medium stays.");
        }

        Medium = medium;
        IsOpen = false;
        Changes++;
        MediumChanged?.Invoke();
    }
}
