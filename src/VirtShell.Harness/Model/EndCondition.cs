using System.Collections.Generic;
using System.Linq;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>One way in which a guest's run may end.</summary>
/// <param name="Word">As written in the suite.</param>
/// <param name="Kinds">The ends that it covers.</param>
/// <param name="Code">The debug exit port's value, or null for any.</param>
/// <param name="IsTimeout">Whether reaching the guest-time limit is meant.</param>
internal sealed record EndCondition(string Word, IReadOnlyList<VmEndKind> Kinds, int? Code = null, bool IsTimeout = false)
{
    public static IReadOnlyList<VmEndKind> Crashes { get; } = [VmEndKind.TripleFault, VmEndKind.Panic, VmEndKind.Hang];

    /// <summary>Whether the guest reaches this end by itself, so that it is worth waiting for.</summary>
    public bool ComesFromGuest => Kinds.Any(k => k != VmEndKind.TurnedOff) || IsTimeout;

    public bool Matches(VmEndKind end, int code, bool timedOut) =>
        timedOut ? IsTimeout : Kinds.Contains(end) && (Code is null || end != VmEndKind.DebugExit || Code == code);

    public override string ToString() => Code is null ? Word : $"{Word} {Code}";

    /// <summary>An end in words.</summary>
    public static string Describe(VmEndKind end, int code) => end switch
    {
        VmEndKind.None => "still running",
        VmEndKind.PowerOff => "powered itself off",
        VmEndKind.DebugExit => $"debug exit with code {code}",
        VmEndKind.TurnedOff => "turned off from outside",
        VmEndKind.Reset => "reset",
        VmEndKind.TripleFault => "triple fault",
        VmEndKind.Hang => "hang",
        VmEndKind.Panic => "kernel panic",
        VmEndKind.EngineFault => "error in the engine",
        VmEndKind.StorageFault => "disk image failed",
        _ => end.ToString(),
    };
}
