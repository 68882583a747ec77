using System;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// The end of a run: what it is going to end by as of the present instruction, and later that it is over. Changed inside the dispatch
/// alone; <see cref="IsKept"/> and <see cref="At"/> are for other threads once the owner was told of the end.
/// </summary>
[NotState("A run that ends is not saved.")]
internal sealed class RunEnd
{
    /// <summary>How it is going to end; <see cref="VmEndKind.None"/> as long as it is not.</summary>
    public VmEndKind Kind { get; private set; }

    /// <summary>The debug exit port's value, else 0.</summary>
    public int Code { get; private set; }

    /// <summary>In a sentence; null where the kind says it all.</summary>
    public string? Reason { get; private set; }

    /// <summary>What the engine or the driver threw.</summary>
    public Exception? Error { get; private set; }

    public bool IsPending => Kind != VmEndKind.None;

    /// <summary>Whether the owner was told, or is about to be.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether the run is over but its machine is kept for inspection.</summary>
    public bool IsKept { get; private set; }

    /// <summary>When it ended; null while it goes on.</summary>
    public DateTimeOffset? At { get; private set; }

    /// <summary>Called when an end is asked for, at that instruction.</summary>
    public Action? Asked { get; set; }

    /// <summary>Ends the run as of this instruction. The first who asks is heard.</summary>
    public void Ask(VmEndKind kind, int code = 0, string? reason = null, Exception? error = null)
    {
        if (IsPending || IsOver)
        {
            return;
        }

        Kind = kind;
        Code = code;
        Reason = reason;
        Error = error;
        Asked?.Invoke();
    }

    /// <summary>The guest begins anew instead.</summary>
    public void Clear()
    {
        Kind = VmEndKind.None;
        Code = 0;
        Reason = null;
        Error = null;
    }

    public void Conclude(bool keep)
    {
        IsOver = true;
        IsKept = keep;
        At = DateTimeOffset.UtcNow;
    }

    /// <summary>The machine that was kept is gone.</summary>
    public void LetGo() => IsKept = false;
}
