using System;
using VirtShell.Machine.Bus;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>A place for a floppy drive on the controller's cable: where its heads are, whether its medium was changed, and what is on a track.</summary>
internal sealed class FloppyDrive : IStateful
{
    /// <summary>Step pulses of a recalibration at most (82077AA, 5.2.5).</summary>
    private const int MostRecalibrationSteps = 79;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly TimerEvent _seeking;

    // Saved state.
    private int _cylinder;
    private bool _changed;
    private bool _failed;

    /// <param name="clock">The machine's clock.</param>
    /// <param name="seekEnded">Called when the heads are there.</param>
    public FloppyDrive(MachineClock clock, Action seekEnded)
    {
        _clock = clock;
        _seeking = new TimerEvent(seekEnded);
    }

    /// <summary>The drive; null where the cable ends.</summary>
    [NotState("Fixed when built.")]
    public Drive? Drive { get; private set; }

    /// <summary>Whether the heads are moving.</summary>
    public bool IsSeeking => _seeking.IsScheduled;

    /// <summary>Where the heads are.</summary>
    public int Cylinder => _cylinder;

    /// <summary>Whether a recalibration has not found track 0.</summary>
    public bool HasFailed => _failed;

    /// <summary>The disk-change line: from the removal of a medium to the first step with another.</summary>
    public bool IsChanged => Drive is not null && _changed;

    public bool IsAtTrack0 => Drive is not null && _cylinder == 0;

    public bool IsWriteProtected => Drive?.Medium is { IsReadOnly: true };

    /// <summary>How the medium is laid out; null where there is none.</summary>
    public FloppyFormat? Format => Drive?.Medium is { } medium ? FloppyFormat.Of(medium.Length) : null;

    public void Attach(Drive drive)
    {
        Drive = drive;
        drive.MediumChanged = () => _changed = true;
    }

    public void Reset()
    {
        _clock.Cancel(_seeking);
        _cylinder = 0;
        _changed = true;
        _failed = false;
    }

    public void StopSeeking() => _clock.Cancel(_seeking);

    /// <summary>Moves the heads; they are there at once, and it is told after a time.</summary>
    public void SeekTo(int cylinder, long nanoseconds)
    {
        MoveTo(cylinder);
        _failed = false;
        _clock.ScheduleAfter(_seeking, nanoseconds);
    }

    /// <summary>Moves the heads out until track 0 is seen, which never is where there is no drive.</summary>
    public void Recalibrate(long nanoseconds)
    {
        bool isFound = Drive is not null && _cylinder <= MostRecalibrationSteps;
        MoveTo(isFound || Drive is null ? 0 : _cylinder - MostRecalibrationSteps);
        _failed = !isFound;
        _clock.ScheduleAfter(_seeking, nanoseconds);
    }

    /// <summary>Moves the heads within a command.</summary>
    public void MoveTo(int cylinder)
    {
        int to = Math.Clamp(cylinder, 0, byte.MaxValue);
        _changed &= to == _cylinder || Drive?.Medium is null;
        _cylinder = to;
    }

    /// <summary>The cylinder that the sectors under the heads say they are on. All drives have 80 cylinders.</summary>
    public int CylinderOn(FloppyFormat format) => format.HasWideTracks ? _cylinder / 2 : _cylinder;

    /// <summary>Whether sectors of a cylinder are under the heads. Those of a disk with 40 cylinders are also found by programs that do not step twice.</summary>
    public bool IsOn(int cylinder, FloppyFormat format) => cylinder < format.Cylinders && (CylinderOn(format) == cylinder || _cylinder == cylinder);

    public void Read(long offset, Span<byte> destination)
    {
        IBlockDevice medium = Drive!.Medium!;
        int length = (int)Math.Clamp(medium.Length - offset, 0, destination.Length);
        medium.Read(offset, destination[..length]);
        destination[length..].Clear();
    }

    /// <summary>Gives false where the image ends before the sector does.</summary>
    public bool TryWrite(long offset, ReadOnlySpan<byte> source)
    {
        IBlockDevice medium = Drive!.Medium!;
        if (offset > medium.Length - source.Length)
        {
            return false;
        }

        medium.Write(offset, source);
        return true;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("cylinder", ref _cylinder, 0, byte.MaxValue);
        visitor.Value("changed", ref _changed);
        visitor.Value("failed", ref _failed);
        _seeking.Describe(visitor, "seeking", _clock);

        if (Drive is { } drive)
        {
            drive.Changes = visitor.Value("changes", drive.Changes);
        }

        // Another medium than the one that was saved has been put in meanwhile.
        long present = Drive?.Medium?.Length ?? 0;
        if (visitor.Value("medium-length", present) != present)
        {
            _changed = true;
            if (Drive is { } other)
            {
                other.Changes++;
            }
        }

        if (Drive?.Medium is IStatefulBlockDevice stateful)
        {
            visitor.Part("disk", stateful, IStatefulBlockDevice.StateVersion);
        }
    }
}
