using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Harness.Yaml;

/// <summary>Gathers what is wrong with one suite file; the same problem met again (by another matrix row) counts once.</summary>
internal sealed class Diagnostics(string file)
{
    /// <summary>More than this many help nobody.</summary>
    private const int Limit = 50;

    private readonly HashSet<SuiteDiagnostic> _found = [];

    public string File { get; } = file;

    public bool Any => _found.Count > 0;

    public void Add(Mark mark, string message)
    {
        if (_found.Count < Limit)
        {
            _found.Add(new SuiteDiagnostic(File, mark.Line, mark.Column, message));
        }
    }

    public IReadOnlyList<SuiteDiagnostic> InFileOrder() => [.. _found.OrderBy(d => d.Line).ThenBy(d => d.Column)];

    public void ThrowIfAny()
    {
        if (Any)
        {
            throw new SuiteException(InFileOrder());
        }
    }
}
