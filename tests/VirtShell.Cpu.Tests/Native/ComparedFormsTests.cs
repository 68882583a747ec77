using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Every handler is compared with the host, or stands by name in a list that says why not.</summary>
public sealed class ComparedFormsTests
{
    private const string FileName = "Native/not-compared.txt";

    [Fact]
    public void Every_handler_is_compared_or_listed_with_its_reason()
    {
        HashSet<Code> listed = Listed().Select(static l => l.Code).ToHashSet();
        string[] unlisted = [.. ComparedForms.Handled.Where(c => !ComparedForms.All.Contains(c) && !listed.Contains(c)).Select(static c => c.ToString())];
        Assert.True(unlisted.Length == 0, $"Neither compared with the host nor named in {FileName}:{Environment.NewLine}{string.Join(Environment.NewLine, unlisted)}");
    }

    [Fact]
    public void The_list_names_nothing_that_is_compared_or_has_no_handler()
    {
        (Code Code, string Reason)[] listed = [.. Listed()];
        Assert.DoesNotContain(listed, static l => ComparedForms.All.Contains(l.Code) || !ComparedForms.Handled.Contains(l.Code));
        Assert.Empty(listed.GroupBy(static l => l.Code).Where(static g => g.Count() > 1).Select(static g => g.Key));
        Assert.All(listed, static l => Assert.NotEmpty(l.Reason));
    }

    // "reason:" begins a group, the lines below it name its codes.
    private static IEnumerable<(Code Code, string Reason)> Listed()
    {
        string reason = string.Empty;
        foreach (string line in DifferentialRegressionTests.Lines(FileName))
        {
            if (line.EndsWith(':'))
            {
                reason = line[..^1];
                continue;
            }

            foreach (string name in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                yield return (Enum.Parse<Code>(name), reason);
            }
        }
    }
}
