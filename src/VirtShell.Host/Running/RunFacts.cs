using System;

namespace VirtShell.Host.Running;

/// <summary>What a run knows of its own end, for the crash report.</summary>
internal sealed record RunFacts(
    string VmName,
    VmEndKind Kind,
    string Summary,
    DateTimeOffset At,
    long Instructions,
    TimeSpan GuestTime,
    SerialLog Serial,
    string? EngineError);
