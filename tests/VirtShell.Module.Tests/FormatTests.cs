using System;
using System.Linq;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>What a console of 80 columns shows.</summary>
[Collection(ModuleCollection.Name)]
public sealed class FormatTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void The_table_of_VMs_fits_80_columns()
    {
        _host.Ok("New-VM short 64MB -Guest hello | Out-Null; New-VM ('a long name ' * 8).Trim() 8GB -Guest hello | Out-Null");
        string shown = _host.Show("Get-VM");
        string[] lines = [.. shown.Split('\n').Select(l => l.TrimEnd()).Where(l => l.Length > 0)];
        Assert.Equal(4, lines.Length);
        Assert.All(lines, l => Assert.True(l.Length <= 80, l));
        Assert.Equal("Name                   State    CPU(%) Memory(M)      Uptime Status", lines[0]);
        Assert.Contains(lines, l => l.StartsWith("short                  Off", StringComparison.Ordinal) && l.EndsWith("0         0    00:00:00 Not running", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("a long name a long na", StringComparison.Ordinal));
    }

    [Fact]
    public void All_properties_of_a_VM_can_be_listed()
    {
        _host.Ok("New-VM a 64MB -Guest hello | Out-Null");
        Outcome outcome = _host.Ok("(Get-VM a).PSObject.Properties | ForEach-Object { \"$($_.Name)=$($_.Value)\" }");
        Assert.Contains("MemoryStartup=67108864", outcome.Texts);
        Assert.Contains("ProcessorCount=1", outcome.Texts);
        Assert.Contains("HasCrashReport=False", outcome.Texts);
    }
}
