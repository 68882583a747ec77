using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Xml;
using VirtShell.Host;

namespace VirtShell.Harness.Reports;

/// <summary>
/// JUnit XML as CI systems read it: one testsuite a suite file, one testcase an item, failures and errors apart. It keeps to the
/// elements and attributes of junit-10.xsd, by which Jenkins' xUnit plugin checks. Well-formed whatever bytes a guest sent:
/// what XML cannot hold is replaced by visible pictures first.
/// </summary>
internal static class JUnitReport
{
    /// <summary>Characters of serial output kept for each item; CI systems choke on more.</summary>
    private const int LongestLog = 64 * 1024;

    public static void Write(RunResult result, Stream stream)
    {
        var settings = new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), NewLineChars = "\n" };
        using var xml = XmlWriter.Create(stream, settings);
        xml.WriteStartDocument();
        xml.WriteStartElement("testsuites");
        Attribute(xml, "name", "VirtShell");
        Counts(xml, result.Items);
        Attribute(xml, "time", Seconds(result.Duration));
        foreach (IGrouping<string, ItemResult> suite in result.Items.GroupBy(i => i.Item.SuiteFile))
        {
            WriteSuite(xml, suite.First().Item.SuiteName, suite.Key, [.. suite], result.StartedAt);
        }

        xml.WriteEndElement();
        xml.WriteEndDocument();
    }

    private static void WriteSuite(XmlWriter xml, string name, string file, ItemResult[] items, DateTimeOffset startedAt)
    {
        xml.WriteStartElement("testsuite");
        Attribute(xml, "name", name);
        Attribute(xml, "file", file);
        Counts(xml, items);
        Attribute(xml, "skipped", Skipped(items));
        Attribute(xml, "time", Seconds(TimeSpan.FromTicks(items.Sum(i => i.Duration.Ticks))));
        Attribute(xml, "timestamp", startedAt.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture));
        WriteProperties(xml, items);
        foreach (ItemResult item in items)
        {
            WriteCase(xml, item, name);
        }

        xml.WriteEndElement();
    }

    // A testcase can hold no properties there, so its suite does: "ITEM: metric".
    private static void WriteProperties(XmlWriter xml, ItemResult[] items)
    {
        xml.WriteStartElement("properties");
        foreach (ItemResult item in items)
        {
            foreach (MetricResult metric in item.Metrics)
            {
                Property(xml, $"{item.Name}: {metric.Name}", metric.Value.ToString(CultureInfo.InvariantCulture));
            }

            foreach (KeyValuePair<string, string> axis in item.Item.Matrix)
            {
                Property(xml, $"{item.Name}: matrix.{axis.Key}", axis.Value);
            }
        }

        xml.WriteEndElement();
    }

    private static void WriteCase(XmlWriter xml, ItemResult item, string suite)
    {
        xml.WriteStartElement("testcase");
        string prefix = suite + " / ";
        Attribute(xml, "classname", suite);
        Attribute(xml, "name", item.Name.StartsWith(prefix, StringComparison.Ordinal) ? item.Name[prefix.Length..] : item.Name);
        Attribute(xml, "time", Seconds(item.Duration));
        switch (item.Outcome)
        {
            case Outcome.Failed:
                Problem(xml, "failure", item);
                break;
            case Outcome.Error:
                Problem(xml, "error", item);
                break;
            case Outcome.Skipped:
            case Outcome.Cancelled:
                xml.WriteStartElement("skipped");
                Attribute(xml, "message", item.Message);
                xml.WriteEndElement();
                break;
        }

        string log = Printable.Xml(item.SerialText);
        if (log.Length > 0)
        {
            xml.WriteStartElement("system-out");
            xml.WriteString(log.Length <= LongestLog ? log : $"(the last {LongestLog} of {log.Length} characters)\n{Printable.Tail(log, LongestLog)}");
            xml.WriteEndElement();
        }

        if (item.CrashReport is { } crash)
        {
            xml.WriteStartElement("system-err");
            xml.WriteString(Printable.Xml(crash.ToText()));
            xml.WriteEndElement();
        }

        xml.WriteEndElement();
    }

    private static void Problem(XmlWriter xml, string element, ItemResult item)
    {
        string text = Printable.Xml(item.Message);
        xml.WriteStartElement(element);
        Attribute(xml, "message", text.Split('\n')[0]);
        Attribute(xml, "type", item.Outcome == Outcome.Error ? "cannot-run" : "failed");
        xml.WriteString(text);
        xml.WriteEndElement();
    }

    private static void Counts(XmlWriter xml, IReadOnlyCollection<ItemResult> items)
    {
        Attribute(xml, "tests", items.Count.ToString(CultureInfo.InvariantCulture));
        Attribute(xml, "failures", items.Count(i => i.Outcome == Outcome.Failed).ToString(CultureInfo.InvariantCulture));
        Attribute(xml, "errors", items.Count(i => i.Outcome == Outcome.Error).ToString(CultureInfo.InvariantCulture));
    }

    private static string Skipped(IReadOnlyCollection<ItemResult> items) => items.Count(i => i.Outcome is Outcome.Skipped or Outcome.Cancelled).ToString(CultureInfo.InvariantCulture);

    private static void Property(XmlWriter xml, string name, string value)
    {
        xml.WriteStartElement("property");
        Attribute(xml, "name", name);
        Attribute(xml, "value", value);
        xml.WriteEndElement();
    }

    private static void Attribute(XmlWriter xml, string name, string value) => xml.WriteAttributeString(name, Printable.Xml(value));

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
}
