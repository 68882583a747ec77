using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Machine.Boards;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes settings of a machine's parts: those that can be left out, and their options.</summary>
public sealed class PartCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        [.. MachineModel.Pc.Rows.SelectMany(Settings)
            .Where(s => s.Text.StartsWith(wordToComplete ?? string.Empty, StringComparison.OrdinalIgnoreCase))
            .Select(s => new CompletionResult(s.Text, s.Text, CompletionResultType.ParameterValue, s.Meaning))];

    private static IEnumerable<(string Text, string Meaning)> Settings(PartRow row)
    {
        if (!row.IsEssential)
        {
            yield return row.IsPresent ? ($"{row.Name}=off", $"without {row.Meaning}") : ($"{row.Name}=on", $"with {row.Meaning}");
        }

        foreach (PartOption option in row.Options)
        {
            yield return ($"{row.Name}.{option.Name}={(option.IsSwitch ? option.Default != 0 ? "off" : "on" : option.Default)}", option.Meaning);
        }
    }
}
