using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Cpu;
using VirtShell.PowerShell.Binding;

namespace VirtShell.PowerShell.Completion;

/// <summary>Completes processor models, in the spelling that suites use.</summary>
public sealed class CpuModelCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        (string prefix, char quote) = CompletionText.Parse(wordToComplete);
        string typed = CpuModelTransformationAttribute.Normalize(prefix);
        return [.. Enum.GetNames<CpuModel>()
            .Where(name => CpuModelTransformationAttribute.Normalize(name).StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(CpuModelTransformationAttribute.Display)
            .Select(name => new CompletionResult(CompletionText.Quote(name, quote), name, CompletionResultType.ParameterValue, name))];
    }
}
