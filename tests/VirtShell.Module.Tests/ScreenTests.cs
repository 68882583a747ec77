using System;
using System.IO;
using VirtShell.Module.Tests.Hosting;
using Xunit;

namespace VirtShell.Module.Tests;

/// <summary>Looking at a VM's screen, and typing on its keyboard.</summary>
[Collection(ModuleCollection.Name)]
public sealed class ScreenTests : IDisposable
{
    private readonly ModuleHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_screen_is_text_an_object_bytes_or_a_file()
    {
        Start("-Part vga=on");
        Assert.Equal([string.Empty], _host.Ok("Get-VMScreen pc").Texts);
        Assert.Equal(["Text", "80", "25", "2000", "64"], _host.Ok("$s = Get-VMScreen pc -Attributes; $s.Mode, $s.Columns, $s.Rows, $s.Cells.Count, $s.PerceptualHash.Length").Texts);
        Assert.Equal(["137", "80", "78", "71"], _host.Ok("(Get-VMScreen pc -AsPng)[0..3]").Texts);
        string path = Path.Combine(_host.Home, "pc.png");
        Assert.Equal([path], _host.Ok("(Get-VMScreen pc -Path $args[0]).FullName", path).Texts);
        Assert.Equal(0x89, File.ReadAllBytes(path)[0]);
        Assert.Equal("VirtShell.FileNotWritten", _host.Run("Get-VMScreen pc -Path $args[0]", Path.Combine(_host.Home, "no", "such", "folder.png")).ErrorId);
    }

    [Fact]
    public void A_VM_without_a_display_or_off_is_told()
    {
        Start(string.Empty);
        Assert.Contains("vga=on", _host.Run("Get-VMScreen pc").Error.ToString(), StringComparison.Ordinal);
        _host.Ok("Stop-VM pc -TurnOff -Confirm:$false");
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Get-VMScreen pc").ErrorId);
        Assert.Equal("VirtShell.InvalidVMState", _host.Run("Send-VMKey pc a").ErrorId);
    }

    [Fact]
    public void Keys_and_movements_are_sent_or_refused_with_what_to_do()
    {
        Start("-Part vga=on");
        Assert.Equal(["pc"], _host.Ok("Send-VMKey pc 'dir' -Enter -Passthru | ForEach-Object Name").Texts);
        _host.Ok("Send-VMKey pc -Key ctrl+alt+delete, f3; Send-VMKey pc 'z@' -Layout de; Send-VMMouse pc -X 4 -Y -3 -Click Left");
        Assert.Equal("VirtShell.NoSuchKey", _host.Run("Send-VMKey pc -Key hyper+x").ErrorId);
        Assert.Equal("VirtShell.NoSuchKey", _host.Run("Send-VMKey pc 'é'").ErrorId);
        Assert.Equal("VirtShell.NothingToSend", _host.Run("Send-VMKey pc").ErrorId);
        Assert.Equal("VirtShell.NothingToSend", _host.Run("Send-VMMouse pc").ErrorId);
        Assert.Equal("VirtShell.ConflictingParameters", _host.Run("Get-VMScreen pc -AsPng -Attributes").ErrorId);
    }

    private void Start(string parameters) => _host.Ok($"New-VM pc 64MB -Guest echo {parameters} | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60");
}
