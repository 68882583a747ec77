using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Bench.Building;

namespace VirtShell.Bench.Running;

/// <summary>A contestant that is a process of the host, whose standard output carries the marks: QEMU, or the programs themselves.</summary>
internal sealed class ProcessContestant(Contestant kind, string program, IReadOnlyList<string> arguments, TimeSpan limit) : IContestant
{
    private const int ReadSize = 4096;

    public Contestant Kind => kind;

    public IReadOnlyList<Sample> Run(int repetition, CancellationToken cancellation)
    {
        using Process process = HostTool.Start(program, arguments);
        var marks = new MarkReader(kind, repetition) { ProcessorTime = kind == Contestant.Native ? null : () => ProcessTime.Of(process.Id) };
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        bool tooLong = false;
        using var deadline = new CancellationTokenSource(limit);
        using (deadline.Token.Register(() =>
        {
            tooLong = true;
            HostTool.Kill(process);
        }))
        using (cancellation.Register(() => HostTool.Kill(process)))
        {
            try
            {
                Read(process, marks);
            }
            finally
            {
                HostTool.Kill(process);
            }
        }

        cancellation.ThrowIfCancellationRequested();
        if (marks.Error is not null || !marks.IsDone)
        {
            string why = marks.Error ?? (tooLong ? $"still running after {limit.TotalSeconds:F0} s" : "ended too early");
            string said = string.Join('\n', marks.OtherLines.Append(errors.GetAwaiter().GetResult().Trim()));
            throw new BenchException($"{kind.Word()}: {why}.\n{said}".TrimEnd());
        }

        return marks.Samples;
    }

    // Plain blocking reads: a stamp is taken as soon as bytes are there.
    private static void Read(Process process, MarkReader marks)
    {
        System.IO.Stream output = process.StandardOutput.BaseStream;
        Span<byte> buffer = stackalloc byte[ReadSize];
        while (!marks.IsDone)
        {
            int count = output.Read(buffer);
            long now = Stopwatch.GetTimestamp();
            if (count <= 0)
            {
                return;
            }

            marks.Feed(buffer[..count], now);
        }
    }
}
