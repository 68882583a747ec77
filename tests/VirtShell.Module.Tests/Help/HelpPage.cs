using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Module.Tests.Help;

/// <summary>An example: what it shows, and its code.</summary>
internal sealed record HelpExample(string Remarks, string Code);

/// <summary>What docs/cmdlets.md says of one cmdlet.</summary>
internal sealed record HelpTopic(
    string Name,
    string Synopsis,
    IReadOnlyList<string> Description,
    IReadOnlyDictionary<string, string> Parameters,
    string Output,
    IReadOnlyList<HelpExample> Examples);

/// <summary>Reads docs/cmdlets.md: one section (##) for each cmdlet, with Parameters, Output and Examples below it (###).</summary>
internal sealed class HelpPage
{
    private const string SharedSection = "Parameters that many cmdlets share";

    private HelpPage(IReadOnlyDictionary<string, HelpTopic> topics, IReadOnlyDictionary<string, string> shared)
    {
        Topics = topics;
        Shared = shared;
    }

    public IReadOnlyDictionary<string, HelpTopic> Topics { get; }

    /// <summary>Parameters that mean the same in every cmdlet.</summary>
    public IReadOnlyDictionary<string, string> Shared { get; }

    public static HelpPage Parse(string text)
    {
        Dictionary<string, HelpTopic> topics = [];
        Dictionary<string, string> shared = [];
        foreach ((string title, string[] lines) in Sections(text.ReplaceLineEndings("\n").Split('\n'), "## "))
        {
            if (title == SharedSection)
            {
                shared = ParseParameters(lines);
            }
            else if (title.Contains('-', StringComparison.Ordinal))
            {
                topics.Add(title, ParseTopic(title, lines));
            }
        }

        return new HelpPage(topics, shared);
    }

    private static HelpTopic ParseTopic(string name, string[] lines)
    {
        Dictionary<string, string[]> parts = Sections(lines, "### ").ToDictionary(s => s.Title, s => s.Lines);
        string[] head = Paragraphs(parts[string.Empty]);
        return new HelpTopic(
            name,
            head[0],
            head[1..],
            parts.TryGetValue("Parameters", out string[]? parameters) ? ParseParameters(parameters) : [],
            string.Join(" ", Paragraphs(parts["Output"])),
            ParseExamples(parts["Examples"]));
    }

    /// <summary>The lines up to the first heading belong to the empty title. Headings inside code blocks do not count.</summary>
    private static IEnumerable<(string Title, string[] Lines)> Sections(string[] lines, string heading)
    {
        string title = string.Empty;
        List<string> current = [];
        bool isCode = false;
        foreach (string line in lines)
        {
            isCode ^= line.StartsWith("```", StringComparison.Ordinal);
            if (!isCode && line.StartsWith(heading, StringComparison.Ordinal))
            {
                yield return (title, current.ToArray());
                title = line[heading.Length..].Trim();
                current = [];
            }
            else
            {
                current.Add(line);
            }
        }

        yield return (title, current.ToArray());
    }

    private static string[] Paragraphs(string[] lines) =>
        [.. string.Join('\n', lines).Split("\n\n").Select(p => p.Replace('\n', ' ').Trim()).Where(p => p.Length > 0)];

    private static Dictionary<string, string> ParseParameters(string[] lines)
    {
        Dictionary<string, string> parameters = [];
        string? name = null;
        foreach (string line in lines)
        {
            if (line.StartsWith("- `-", StringComparison.Ordinal))
            {
                int end = line.IndexOf('`', 4);
                name = line[4..end];
                parameters.Add(name, line[(end + 2)..].Trim());
            }
            else if (name is not null && line.StartsWith("  ", StringComparison.Ordinal))
            {
                parameters[name] += " " + line.Trim();
            }
        }

        return parameters;
    }

    private static List<HelpExample> ParseExamples(string[] lines)
    {
        List<HelpExample> examples = [];
        List<string> remarks = [];
        List<string>? code = null;
        foreach (string line in lines)
        {
            if (!line.StartsWith("```", StringComparison.Ordinal))
            {
                (code ?? remarks).Add(line);
            }
            else if (code is null)
            {
                code = [];
            }
            else
            {
                examples.Add(new HelpExample(string.Join(' ', Paragraphs([.. remarks])).TrimEnd(':') + ".", string.Join('\n', code)));
                remarks.Clear();
                code = null;
            }
        }

        return examples;
    }
}
