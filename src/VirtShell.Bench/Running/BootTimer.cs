using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Bench.Building;

namespace VirtShell.Bench.Running;

/// <summary>Takes the time from starting a process until a guest's prompt comes out of it.</summary>
internal static class BootTimer
{
    /// <exception cref="BenchException">The process ended, or took longer than <paramref name="limit"/>, without a prompt.</exception>
    public static BootSample Measure(Contestant kind, int repetition, string program, IReadOnlyList<string> arguments, string prompt, TimeSpan limit, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        using Process process = HostTool.Start(program, arguments);
        if (kind == Contestant.VirtShell)
        {
            // Under the virtual clock a guest starts when its input is at its end.
            process.StandardInput.Close();
        }

        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var deadline = new CancellationTokenSource(limit);
        using CancellationTokenRegistration late = deadline.Token.Register(() => HostTool.Kill(process));
        using CancellationTokenRegistration stop = cancellation.Register(() => HostTool.Kill(process));
        var seen = new StringBuilder();
        Span<byte> buffer = stackalloc byte[1024];
        try
        {
            while (true)
            {
                int count = process.StandardOutput.BaseStream.Read(buffer);
                long now = Stopwatch.GetTimestamp();
                if (count <= 0)
                {
                    break;
                }

                seen.Append(Encoding.Latin1.GetString(buffer[..count]));
                if (seen.ToString().Contains(prompt, StringComparison.Ordinal))
                {
                    return new BootSample(kind, repetition, Stopwatch.GetElapsedTime(started, now).TotalMilliseconds, ProcessTime.Of(process.Id));
                }
            }
        }
        finally
        {
            HostTool.Kill(process);
        }

        cancellation.ThrowIfCancellationRequested();
        throw new BenchException($"{kind.Word()}: no prompt.\n{seen}\n{errors.GetAwaiter().GetResult()}".TrimEnd());
    }
}
