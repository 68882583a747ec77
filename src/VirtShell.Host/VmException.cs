using System;

namespace VirtShell.Host;

/// <summary>Kinds of errors that users meet; each maps to one stable error id in PowerShell.</summary>
public enum VmErrorKind
{
    InvalidDefinition,
    NameInUse,
    NotFound,
    InvalidState,
    ImageNotFound,
    ImageInvalid,

    /// <summary>Saved state is damaged, or of another VM than the one that is to go on with it.</summary>
    StateInvalid,
    StorageFailed,
    OutOfResources,
    Timeout,

    /// <summary>Our own engine failed before the VM ran; a fault while it runs is a crash of that VM instead.</summary>
    EngineFailed,
}

/// <summary>An operation on a VM that cannot be done; the message says why and what to do next.</summary>
public sealed class VmException : Exception
{
    public VmException(VmErrorKind kind, string message, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
    }

    public VmException()
    {
    }

    public VmException(string message)
        : base(message)
    {
    }

    public VmException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public VmErrorKind Kind { get; }
}
