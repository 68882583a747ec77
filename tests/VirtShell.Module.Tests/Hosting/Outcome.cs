using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace VirtShell.Module.Tests.Hosting;

/// <summary>What a script gave: its output and its other streams.</summary>
internal sealed record Outcome(
    IReadOnlyList<PSObject> Output,
    IReadOnlyList<ErrorRecord> Errors,
    IReadOnlyList<string> Warnings,
    IReadOnlyList<string> Verbose)
{
    /// <summary>The output as text, an item each.</summary>
    public IReadOnlyList<string> Texts => [.. Output.Select(o => o?.ToString() ?? string.Empty)];

    /// <summary>The only error.</summary>
    public ErrorRecord Error => Errors.Single();

    /// <summary>The first part of the only error's id.</summary>
    public string ErrorId => Error.FullyQualifiedErrorId.Split(',')[0];
}
