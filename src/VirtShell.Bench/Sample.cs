namespace VirtShell.Bench;

/// <summary>One run of one program.</summary>
/// <param name="Contestant">Where it ran.</param>
/// <param name="Program">The program's name.</param>
/// <param name="Repetition">In which repetition, from 1.</param>
/// <param name="Milliseconds">The host's time between its two marks.</param>
/// <param name="Checksum">What it computed.</param>
/// <param name="Instructions">Guest instructions in between, the kernel's included; null where they are not counted.</param>
public sealed record Sample(Contestant Contestant, string Program, int Repetition, double Milliseconds, ulong Checksum, long? Instructions = null);

/// <summary>One boot of a fresh process to the guest's prompt.</summary>
/// <param name="Contestant">What booted.</param>
/// <param name="Repetition">In which repetition, from 1.</param>
/// <param name="Milliseconds">From starting the process until the prompt came out of it.</param>
public sealed record BootSample(Contestant Contestant, int Repetition, double Milliseconds);
