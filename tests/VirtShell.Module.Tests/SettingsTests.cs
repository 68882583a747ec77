using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>Parameters of New-VM and Set-VM, and what Get-VM gives, against the table of settings in the module's own host.</summary>
[Collection(ModuleCollection.Name)]
public sealed class SettingsTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Cmdlets_have_a_parameter_for_every_setting_and_give_every_setting_out()
    {
        Type vm = _host.Ok("New-VM a -Guest hello").Output.Single().BaseObject.GetType();
        CmdletInfo create = Cmdlet("New-VM");
        CmdletInfo change = Cmdlet("Set-VM");
        List<Row> rows = Rows(vm);
        Assert.NotEmpty(rows);
        foreach (Row row in rows)
        {
            AssertParameter(create, row.Parameter, row);
            AssertParameter(change, row.Parameter == "Name" ? "NewVMName" : row.Parameter, row);
            Assert.True(vm.GetProperty(row.Output) is not null, $"VMs have no property {row.Output}.");
        }

        // -HardDisk is -Disk with another interface.
        IEnumerable<string> others = create.Parameters.Keys.Except(rows.Select(r => r.Parameter)).Except(["HardDisk"]).Except(System.Management.Automation.Cmdlet.CommonParameters).Except(System.Management.Automation.Cmdlet.OptionalCommonParameters);
        Assert.Empty(others);
    }

    [Theory]
    [InlineData("CrashRestartLimit", "2", "5")]
    [InlineData("DetectPanics", "$false", "True")]
    [InlineData("HangInstructions", "1000", "0")]
    [InlineData("BootOrder", "cd,disk", "floppy,cd,disk")]
    [InlineData("SerialLogBytes", "1048576", "67108864")]
    public void A_setting_is_given_when_a_VM_is_made_or_later(string name, string value, string usual)
    {
        string expected = value.TrimStart('$');
        Assert.Equal(usual, _host.Ok($"(New-VM plain -Guest hello).{name}").Texts.Single());
        Assert.Equal(expected, _host.Ok($"(New-VM made -Guest hello -{name} {value}).{name}").Texts.Single(), ignoreCase: true);
        Assert.Equal(expected, _host.Ok($"(Set-VM plain -{name} {value} -Passthru).{name}").Texts.Single(), ignoreCase: true);
    }

    [Theory]
    [InlineData("New-VM a -Guest hello -CrashRestartLimit -1", "ParameterArgumentValidationError")]
    [InlineData("New-VM a -Guest hello -Disk @{ Source = $HOME; Acess = 'ReadOnly' }", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -Disk @{ Source = $HOME; Access = 'Write' }", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -Disk @{ Source = $HOME; OverlayLimit = 'much' }", "ParameterArgumentTransformationError")]
    [InlineData("New-VM a -Guest hello -Disk @{ Source = $PSHOME; OverlayLimit = 4KB }", "VirtShell.InvalidVMDefinition")]
    [InlineData("New-VM a -Guest hello -MemoryStartupBytes 2TB", "VirtShell.InvalidVMDefinition")]
    public void A_wrong_value_is_a_clear_error(string script, string id)
    {
        Outcome outcome = _host.Run(script);
        Assert.Equal(id, outcome.ErrorId);
        Assert.Equal(ErrorCategory.InvalidArgument, id.StartsWith("VirtShell.", StringComparison.Ordinal) ? outcome.Error.CategoryInfo.Category : ErrorCategory.InvalidArgument);
    }

    private static void AssertParameter(CmdletInfo cmdlet, string name, Row row)
    {
        Assert.True(cmdlet.Parameters.TryGetValue(name, out ParameterMetadata? parameter), $"{cmdlet.Name} has no -{name}.");
        Assert.True(row.Type.IsAssignableFrom(parameter.ParameterType), $"{cmdlet.Name} -{name} is a {parameter.ParameterType}, and the setting a {row.Type}.");
    }

    /// <summary>The table of the host that the module loaded into a context of its own.</summary>
    private static List<Row> Rows(Type vm)
    {
        Assembly host = vm.GetProperty("Disks")!.PropertyType.GenericTypeArguments.Single().Assembly;
        IEnumerable all = (IEnumerable)host.GetType("VirtShell.Host.VmSettings", throwOnError: true)!.GetProperty("All")!.GetValue(null)!;
        return [.. all.Cast<object>().Select(row => new Row(Read<string>(row, "Parameter"), Read<string>(row, "Output"), Read<Type>(row, "ValueType")))];
    }

    private static T Read<T>(object row, string property) => (T)row.GetType().GetProperty(property)!.GetValue(row)!;

    private CmdletInfo Cmdlet(string name) => (CmdletInfo)_host.Ok("Get-Command $args[0]", name).Output.Single().BaseObject;

    private sealed record Row(string Parameter, string Output, Type Type);
}
