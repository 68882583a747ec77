using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Machine.Input;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes the last key of a chord.</summary>
public sealed class KeyCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string word = wordToComplete ?? string.Empty;
        int begin = word.LastIndexOf('+') + 1;
        return [.. KeyNames.All.Where(name => name.StartsWith(word[begin..], StringComparison.OrdinalIgnoreCase)).Select(name => new CompletionResult(word[..begin] + name))];
    }
}
