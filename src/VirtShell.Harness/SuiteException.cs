using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Host;

namespace VirtShell.Harness;

/// <summary>One thing that is wrong in a suite, and where.</summary>
/// <param name="File">The suite file as the user named it.</param>
/// <param name="Line">Line, from 1; 0 where the whole file is meant.</param>
/// <param name="Column">Column, from 1; 0 where the whole file is meant.</param>
/// <param name="Message">What is wrong, what is allowed, and the nearest valid word where there is one.</param>
public sealed record SuiteDiagnostic(string File, int Line, int Column, string Message)
{
    /// <summary><c>file:line:column: message</c>, on one line whatever the file is called.</summary>
    public override string ToString() => Printable.Escape(Line > 0 ? $"{File}:{Line}:{Column}: {Message}" : $"{File}: {Message}");
}

/// <summary>A suite that cannot be run as it stands: every problem found, each with file, line and column.</summary>
public sealed class SuiteException : Exception
{
    public SuiteException(IReadOnlyList<SuiteDiagnostic> diagnostics)
        : base(string.Join(Environment.NewLine, diagnostics.Select(d => d.ToString())))
    {
        Diagnostics = diagnostics;
    }

    public SuiteException()
    {
    }

    public SuiteException(string message)
        : base(message)
    {
    }

    public SuiteException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    /// <summary>In file order; empty where the problem belongs to no place in a file.</summary>
    public IReadOnlyList<SuiteDiagnostic> Diagnostics { get; } = [];
}
