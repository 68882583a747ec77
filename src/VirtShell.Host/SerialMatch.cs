namespace VirtShell.Host;

/// <summary>What a wait for serial output found.</summary>
/// <param name="Offset">Byte offset of the match in the log.</param>
/// <param name="EndOffset">Byte offset just after it: where the next wait begins.</param>
/// <param name="Text">The matching text.</param>
public sealed record SerialMatch(long Offset, long EndOffset, string Text);
