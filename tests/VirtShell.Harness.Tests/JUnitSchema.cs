using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace VirtShell.Harness.Tests;

/// <summary>
/// What junit-10.xsd of Jenkins' xUnit plugin allows, written down as a table: each element's attributes (those that it needs
/// with an exclamation mark) and its children. None of its elements has an order among its children.
/// </summary>
internal static partial class JUnitSchema
{
    private static readonly Dictionary<string, (string[] Attributes, string[] Children, bool HasText)> s_elements = new(StringComparer.Ordinal)
    {
        ["testsuites"] = (["name", "time", "tests", "failures", "errors"], ["testsuite"], false),
        ["testsuite"] = (["name!", "tests!", "failures!", "errors!", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"], ["testsuite", "properties", "testcase", "system-out", "system-err"], false),
        ["testcase"] = (["name!", "time", "classname", "group"], ["skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out", "system-err"], false),
        ["properties"] = ([], ["property"], false),
        ["property"] = (["name!", "value!"], [], false),
        ["failure"] = (["type", "message"], [], true),
        ["error"] = (["type", "message"], [], true),
        ["skipped"] = (["type", "message"], [], true),
        ["system-out"] = ([], [], true),
        ["system-err"] = ([], [], true),
    };

    public static IEnumerable<string> Violations(XElement root) => root.Name.LocalName == "testsuites" ? root.DescendantsAndSelf().SelectMany(Check) : ["the root is no testsuites"];

    private static IEnumerable<string> Check(XElement element)
    {
        string name = element.Name.ToString();
        if (!s_elements.TryGetValue(name, out (string[] Attributes, string[] Children, bool HasText) allowed))
        {
            yield return $"unknown element {name}";
            yield break;
        }

        foreach (XAttribute attribute in element.Attributes().Where(a => !allowed.Attributes.Any(n => n.TrimEnd('!') == a.Name.ToString())))
        {
            yield return $"{name} has no attribute {attribute.Name}";
        }

        foreach (string needed in allowed.Attributes.Where(n => n.EndsWith('!') && element.Attribute(n.TrimEnd('!')) is null))
        {
            yield return $"{name} needs {needed}";
        }

        foreach (XElement child in element.Elements().Where(c => !allowed.Children.Contains(c.Name.ToString())))
        {
            yield return $"{name} holds no {child.Name}";
        }

        if (!allowed.HasText && element.Nodes().OfType<XText>().Any(t => !string.IsNullOrWhiteSpace(t.Value)))
        {
            yield return $"{name} holds no text";
        }

        if (name is "testsuites" or "testsuite" && element.Attribute("time") is { } time && !Time().IsMatch(time.Value))
        {
            yield return $"{time.Value} is no time";
        }
    }

    [GeneratedRegex(@"^[0-9]+(\.[0-9]*)?\z")]
    private static partial Regex Time();
}
