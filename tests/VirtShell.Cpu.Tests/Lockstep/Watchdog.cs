using System;
using System.Diagnostics;
using System.Threading;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Names the program in which an engine hangs or dies: such an error leaves no report behind.</summary>
internal static class Watchdog
{
    // A chunk takes milliseconds; the host may be busy.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private static readonly Lock s_lock = new();
    private static readonly string? s_log = Environment.GetEnvironmentVariable("VIRTSHELL_LOCKSTEP_LOG");
    private static Thread? s_thread;

    [ThreadStatic]
    private static Entry? s_own;

    private static Entry[] s_entries = [];

    /// <summary>A chunk begins.</summary>
    public static void Begin(GuestProgram program, int chunk, in LockstepStep step)
    {
        Entry entry = s_own ??= Add();
        entry.Program = program;
        entry.Chunk = chunk;
        entry.Step = step;
        if (s_log is not null && entry.Named != program)
        {
            // What is to be known after the process has died must be on disk before.
            entry.Named = program;
            System.IO.File.WriteAllText($"{s_log}.{Environment.CurrentManagedThreadId}", $"{program}\n");
        }

        Volatile.Write(ref entry.Started, Stopwatch.GetTimestamp());
    }

    /// <summary>It has ended.</summary>
    public static void End() => Volatile.Write(ref s_own!.Started, 0);

    private static Entry Add()
    {
        Entry entry = new();
        lock (s_lock)
        {
            s_entries = [.. s_entries, entry];
            if (s_thread is null)
            {
                s_thread = new Thread(Watch) { IsBackground = true };
                s_thread.Start();
            }
        }

        return entry;
    }

    private static void Watch()
    {
        while (true)
        {
            Thread.Sleep(1000);
            foreach (Entry entry in Volatile.Read(ref s_entries))
            {
                long started = Volatile.Read(ref entry.Started);
                if (started != 0 && Stopwatch.GetElapsedTime(started) > s_limit)
                {
                    string text = $"lockstep: {entry.Program}: chunk {entry.Chunk} ({entry.Step}) has not come back for {s_limit.TotalSeconds:F0} s: an engine hangs.";
                    Console.Error.WriteLine(text);
                    Environment.FailFast(text);
                }
            }
        }
    }

    private sealed class Entry
    {
        public GuestProgram? Program;
        public GuestProgram? Named;
        public int Chunk;
        public LockstepStep Step;
        public long Started;
    }
}
