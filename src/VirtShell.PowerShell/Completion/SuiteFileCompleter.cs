using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes suite files: folders, and files named *.yaml or *.yml.</summary>
public sealed class SuiteFileCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        [.. CompletionCompleters.CompleteFilename(wordToComplete ?? string.Empty)
            .Where(r => r.ResultType == CompletionResultType.ProviderContainer || IsSuite(r.ListItemText))];

    private static bool IsSuite(string name) =>
        name.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".yml", StringComparison.OrdinalIgnoreCase);
}
