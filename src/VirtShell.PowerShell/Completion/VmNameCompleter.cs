using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Host;
using VirtShell.PowerShell.Session;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes VM names. Wildcards in the typed word work as in the cmdlets.</summary>
public sealed class VmNameCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        (string prefix, char quote) = CompletionText.Parse(wordToComplete);
        WildcardPattern pattern = new(prefix + "*", WildcardOptions.IgnoreCase);
        try
        {
            return [.. VmHosts.Current.VirtualMachines
                .Where(vm => pattern.IsMatch(vm.Name))
                .OrderBy(vm => vm.Name, StringComparer.OrdinalIgnoreCase)
                .Select(vm => new CompletionResult(CompletionText.Quote(vm.Name, quote), vm.Name, CompletionResultType.ParameterValue, $"{vm.Name} ({vm.State})"))];
        }
        catch (VmException)
        {
            // A home folder that cannot be read is for Get-VM to complain of, not for the Tab key.
            return [];
        }
    }
}
