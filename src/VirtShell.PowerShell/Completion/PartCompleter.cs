using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Host;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes settings of a machine's parts: those that can be left out, and their options.</summary>
public sealed class PartCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        [.. VmParts.Settings
            .Where(s => s.Text.StartsWith(wordToComplete ?? string.Empty, StringComparison.OrdinalIgnoreCase))
            .Select(s => new CompletionResult(s.Text, s.Text, CompletionResultType.ParameterValue, s.Meaning))];
}
