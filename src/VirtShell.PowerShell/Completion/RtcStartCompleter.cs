using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes the words for the start of a VM's clock; dates are typed.</summary>
public sealed class RtcStartCompleter : IArgumentCompleter
{
    private static readonly (string Word, string Meaning)[] s_words = [("LocalTime", "the host's local time"), ("Utc", "the host's time in UTC")];

    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        [.. s_words.Where(w => w.Word.StartsWith(wordToComplete ?? string.Empty, StringComparison.OrdinalIgnoreCase))
            .Select(w => new CompletionResult(w.Word, w.Word, CompletionResultType.ParameterValue, w.Meaning))];
}
