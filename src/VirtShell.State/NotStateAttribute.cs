using System;

namespace VirtShell.State;

/// <summary>
/// Says that a mutable field, or all those of a type, are no part of saved state, and why. A test goes through every mutable
/// field of a machine and accepts only those that its description shows, and these.
/// </summary>
/// <param name="reason">Why, in words: "rebuilt from the page tables", "scratch within one request".</param>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property | AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class NotStateAttribute(string reason) : Attribute
{
    public string Reason { get; } = reason;
}
