using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests.Help;

/// <summary>The help file says what docs/cmdlets.md says, and that page leaves nothing out.</summary>
[Collection(ModuleCollection.Name)]
public sealed class HelpFileTests : IDisposable
{
    private const string UpdateVariable = "VIRTSHELL_UPDATE_HELP";

    private readonly ModuleHost _host = new();
    private readonly HelpPage _page = HelpPage.Parse(File.ReadAllText(Path.Combine(ModuleHost.Root, "docs", "cmdlets.md")));

    public static TheoryData<string> Cmdlets { get; } =
        [.. HelpPage.Parse(File.ReadAllText(Path.Combine(ModuleHost.Root, "docs", "cmdlets.md"))).Topics.Keys];

    private static string HelpFile => Path.Combine(ModuleHost.Root, "module", "en-US", "VirtShell.PowerShell.dll-Help.xml");

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Every_cmdlet_and_every_parameter_is_described_and_nothing_else_is()
    {
        CmdletInfo[] cmdlets = Exported();
        Assert.Equal(cmdlets.Select(c => c.Name).Order(), _page.Topics.Keys.Order());
        foreach (CmdletInfo cmdlet in cmdlets)
        {
            HelpTopic topic = _page.Topics[cmdlet.Name];
            string[] own = [.. MamlWriter.OwnParameters(cmdlet).Select(p => p.Name)];
            Assert.Empty(own.Where(p => MamlWriter.Describe(_page, topic, p) is null).Select(p => $"{cmdlet.Name} -{p} is not described"));
            Assert.Empty(topic.Parameters.Keys.Except(own).Select(p => $"{cmdlet.Name} has no -{p}"));
            Assert.NotEmpty(topic.Description);
            Assert.NotEmpty(topic.Examples);
        }
    }

    [Fact]
    public void The_help_file_is_what_the_page_gives()
    {
        string expected = MamlWriter.Write(_page, Exported());
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(HelpFile)!);
            File.WriteAllText(HelpFile, expected);
        }

        Assert.True(
            File.Exists(HelpFile) && File.ReadAllText(HelpFile).ReplaceLineEndings("\n") == expected,
            $"{HelpFile} is out of date. Write it anew: {UpdateVariable}=1 dotnet test tests/VirtShell.Module.Tests --filter HelpFileTests");
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void Get_Help_shows_synopsis_description_parameters_and_examples(string cmdlet)
    {
        HelpTopic topic = _page.Topics[cmdlet];
        PSObject help = _host.Ok("Get-Help $args[0] -Full", cmdlet).Output.Single();
        Assert.Equal(topic.Synopsis, help.Properties["Synopsis"].Value);
        string shown = _host.Show($"Get-Help {cmdlet} -Full");
        Assert.Contains("DESCRIPTION", shown, StringComparison.Ordinal);
        Assert.Contains(topic.Description[0].Split(' ')[0], shown, StringComparison.Ordinal);
        Assert.Contains(WithoutSpace(topic.Examples[^1].Code), WithoutSpace(shown), StringComparison.Ordinal);
        foreach (string parameter in topic.Parameters.Keys)
        {
            PSObject one = _host.Ok("Get-Help $args[0] -Parameter $args[1]", cmdlet, parameter).Output.Single();
            Assert.NotEmpty(((PSObject[])one.Properties["description"].Value).Single().Properties["Text"].Value.ToString()!);
        }
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void Examples_are_scripts_without_syntax_errors_and_use_parameters_that_exist(string cmdlet)
    {
        foreach (HelpExample example in _page.Topics[cmdlet].Examples)
        {
            ScriptBlockAst ast =
                Parser.ParseInput(example.Code, out _, out ParseError[] errors);
            Assert.Empty(errors.Select(e => e.Message));
            foreach (CommandAst command in ast.FindAll(n => n is CommandAst, true).Cast<CommandAst>())
            {
                CmdletInfo? ours = Exported().FirstOrDefault(c => c.Name == command.GetCommandName());
                string[] given = [.. command.CommandElements.OfType<CommandParameterAst>().Select(p => p.ParameterName)];
                Assert.Empty(given.Where(p => ours is not null && !ours.Parameters.ContainsKey(p)).Select(p => $"{ours!.Name} has no -{p}"));
            }
        }
    }

    // The console breaks long lines.
    private static string WithoutSpace(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));

    private CmdletInfo[] Exported() => [.. _host.Ok("Get-Command -Module VirtShell").Output.Select(o => (CmdletInfo)o.BaseObject)];
}
