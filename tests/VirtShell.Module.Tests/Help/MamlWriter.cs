using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Xml;

namespace VirtShell.Module.Tests.Help;

/// <summary>
/// Writes the file that Get-Help reads (MAML): words from docs/cmdlets.md, syntax from the cmdlets as the engine sees
/// them. The elements are those that about_Comment_Based_Help's XML counterpart, "Writing Help for PowerShell Cmdlets", names.
/// </summary>
internal static class MamlWriter
{
    private const string Maml = "http://schemas.microsoft.com/maml/2004/10";
    private const string Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private const string Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    public static string Write(HelpPage page, IEnumerable<CmdletInfo> cmdlets)
    {
        using MemoryStream stream = new();
        using (XmlWriter xml = XmlWriter.Create(stream, new XmlWriterSettings { Indent = true, NewLineChars = "\n", Encoding = new UTF8Encoding(false) }))
        {
            xml.WriteStartElement("helpItems", "http://msh");
            xml.WriteAttributeString("schema", "maml");
            foreach (CmdletInfo cmdlet in cmdlets.OrderBy(c => c.Name, StringComparer.Ordinal))
            {
                WriteCommand(xml, page, page.Topics[cmdlet.Name], cmdlet);
            }

            xml.WriteEndElement();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    /// <summary>Parameters that the cmdlet itself has, the engine's common ones left out.</summary>
    public static IEnumerable<ParameterMetadata> OwnParameters(CmdletInfo cmdlet) =>
        cmdlet.Parameters.Values.Where(p => !Cmdlet.CommonParameters.Contains(p.Name) && !Cmdlet.OptionalCommonParameters.Contains(p.Name));

    public static string? Describe(HelpPage page, HelpTopic topic, string parameter) =>
        topic.Parameters.GetValueOrDefault(parameter) ?? page.Shared.GetValueOrDefault(parameter);

    private static void WriteCommand(XmlWriter xml, HelpPage page, HelpTopic topic, CmdletInfo cmdlet)
    {
        xml.WriteStartElement("command", "command", Command);
        xml.WriteAttributeString("xmlns", "maml", null, Maml);
        xml.WriteAttributeString("xmlns", "dev", null, Dev);

        xml.WriteStartElement("details", Command);
        xml.WriteElementString("name", Command, topic.Name);
        xml.WriteElementString("verb", Command, cmdlet.Verb);
        xml.WriteElementString("noun", Command, cmdlet.Noun);
        WriteText(xml, "description", [topic.Synopsis]);
        xml.WriteEndElement();
        WriteText(xml, "description", topic.Description);

        xml.WriteStartElement("syntax", Command);
        foreach (CommandParameterSetInfo set in cmdlet.ParameterSets.OrderByDescending(s => s.IsDefault))
        {
            xml.WriteStartElement("syntaxItem", Command);
            xml.WriteElementString("name", Maml, topic.Name);
            foreach (CommandParameterInfo parameter in set.Parameters.Where(p => !Cmdlet.CommonParameters.Contains(p.Name)))
            {
                WriteParameter(xml, parameter, string.Empty);
            }

            xml.WriteEndElement();
        }

        xml.WriteEndElement();

        xml.WriteStartElement("parameters", Command);
        foreach (ParameterMetadata own in OwnParameters(cmdlet))
        {
            CommandParameterInfo first = cmdlet.ParameterSets.OrderByDescending(s => s.IsDefault).SelectMany(s => s.Parameters).First(p => p.Name == own.Name);
            WriteParameter(xml, first, Describe(page, topic, own.Name) ?? string.Empty);
        }

        xml.WriteEndElement();

        xml.WriteStartElement("returnValues", Command);
        xml.WriteStartElement("returnValue", Command);
        xml.WriteStartElement("type", Dev);
        xml.WriteElementString("name", Maml, topic.Output);
        xml.WriteEndElement();
        xml.WriteEndElement();
        xml.WriteEndElement();
        WriteExamples(xml, topic);
        xml.WriteEndElement();
    }

    private static void WriteParameter(XmlWriter xml, CommandParameterInfo parameter, string description)
    {
        bool isSwitch = parameter.ParameterType == typeof(SwitchParameter);
        xml.WriteStartElement("parameter", Command);
        xml.WriteAttributeString("required", parameter.IsMandatory ? "true" : "false");
        xml.WriteAttributeString("globbing", parameter.Attributes.OfType<SupportsWildcardsAttribute>().Any() ? "true" : "false");
        xml.WriteAttributeString("pipelineInput", (parameter.ValueFromPipeline, parameter.ValueFromPipelineByPropertyName) switch
        {
            (true, true) => "true (ByValue, ByPropertyName)",
            (true, false) => "true (ByValue)",
            (false, true) => "true (ByPropertyName)",
            _ => "false",
        });
        xml.WriteAttributeString("position", parameter.Position < 0 ? "named" : parameter.Position.ToString(System.Globalization.CultureInfo.InvariantCulture));
        xml.WriteAttributeString("aliases", parameter.Aliases.Count == 0 ? "none" : string.Join(", ", parameter.Aliases));
        xml.WriteElementString("name", Maml, parameter.Name);
        WriteText(xml, "description", description.Length > 0 ? [description] : []);
        if (!isSwitch)
        {
            xml.WriteStartElement("parameterValue", Command);
            xml.WriteAttributeString("required", "true");
            xml.WriteString(TypeName(parameter.ParameterType));
            xml.WriteEndElement();
        }

        xml.WriteStartElement("type", Dev);
        xml.WriteElementString("name", Maml, TypeName(parameter.ParameterType));
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static string TypeName(Type type) => (Nullable.GetUnderlyingType(type) ?? type).Name;

    private static void WriteExamples(XmlWriter xml, HelpTopic topic)
    {
        xml.WriteStartElement("examples", Command);
        for (int i = 0; i < topic.Examples.Count; i++)
        {
            xml.WriteStartElement("example", Command);
            xml.WriteElementString("title", Maml, $"Example {i + 1}");
            xml.WriteElementString("code", Dev, topic.Examples[i].Code);
            xml.WriteStartElement("remarks", Dev);
            xml.WriteElementString("para", Maml, topic.Examples[i].Remarks);
            xml.WriteEndElement();
            xml.WriteEndElement();
        }

        xml.WriteEndElement();
    }

    private static void WriteText(XmlWriter xml, string element, IEnumerable<string> paragraphs)
    {
        xml.WriteStartElement(element, Maml);
        foreach (string paragraph in paragraphs)
        {
            // Markdown's code marks would be noise in a terminal.
            xml.WriteElementString("para", Maml, paragraph.Replace("`", string.Empty, StringComparison.Ordinal));
        }

        xml.WriteEndElement();
    }
}
