namespace VirtShell.Cli;

/// <summary>What the program's exit code says.</summary>
internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Something ran and failed: a test, a guest that crashed.</summary>
    public const int Failed = 1;

    /// <summary>It could not be run: a broken suite, a missing kernel, a wrong option, an error in the engine.</summary>
    public const int CannotRun = 2;

    /// <summary>Cut short by Ctrl+C: 128 + SIGINT, as shells have it.</summary>
    public const int Interrupted = 130;
}
