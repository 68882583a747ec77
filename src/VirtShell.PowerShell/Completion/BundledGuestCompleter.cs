using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Guests;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes the names of the bundled guests.</summary>
public sealed class BundledGuestCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        (string prefix, char quote) = CompletionText.Parse(wordToComplete);
        WildcardPattern pattern = new(prefix + "*", WildcardOptions.IgnoreCase);
        return [.. GuestCatalog.All
            .Where(guest => pattern.IsMatch(guest.Name))
            .OrderBy(guest => guest.Name, StringComparer.Ordinal)
            .Select(guest => new CompletionResult(CompletionText.Quote(guest.Name, quote), guest.Name, CompletionResultType.ParameterValue, guest.Description))];
    }
}
