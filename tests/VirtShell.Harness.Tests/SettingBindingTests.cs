using System;
using System.Linq;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Settings;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>Keys of suites against the table of settings.</summary>
public sealed class SettingBindingTests
{
    private const string Frame = "suite: s\ntests:\n  - name: t\n    vm: {guest: hello, ";

    public static TheoryData<string> Keys => [.. VmSettings.Of(FrontEnd.Suites).Select(s => s.Name)];

    [Fact]
    public void Suites_have_the_keys_of_the_rows_and_no_others()
    {
        Assert.Equal(VmSettings.Of(FrontEnd.Suites).Select(s => s.Name), VmKind.Vm.Keys);
        Assert.Equal(InitramfsSettings.All.Select(s => s.Name), VmKind.Initramfs.Keys);
        Assert.Equal(VmDiskSettings.All.Select(s => s.Name).Concat(["generate", "seed"]), VmKind.Disk.Keys);
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void What_a_suite_does_not_say_has_the_row_s_default(string key)
    {
        VmDefinition bare = SuiteLoader.Parse("suite: s\ntests:\n  - name: t\n    vm: hello\n", "s.yaml").Items[0].Test.Vm.Definition;
        Setting<VmDefinition> setting = VmSettings.All.Single(s => s.Name == key);
        VmDefinition expected = VmSettings.WithDefaults(new VmDefinition { Name = string.Empty, Guest = "hello" }, FrontEnd.Suites);

        Assert.Equal(setting.ValueOf(expected), setting.ValueOf(bare));
    }

    [Theory]
    [InlineData("memory: 1T", null)]
    [InlineData("memory: 64K", null)]
    [InlineData("memory: 60K", "memory is a multiple of 4K, from 64K to 1T; 60K is not")]
    [InlineData("memory: 1025G", "memory is a multiple of 4K, from 64K to 1T; 1025G is not")]
    [InlineData("disks: {source: a, overlay-limit: 1T}", "overlay-limit is from 1M to 512G; 1T is not")]
    [InlineData("on-crash: stop", "unknown key \"on-crash\"")]
    public void Bounds_are_those_of_the_rows(string setting, string? message)
    {
        string yaml = $"{Frame}{setting}}}\n";
        if (message is null)
        {
            Assert.Single(SuiteLoader.Parse(yaml, "s.yaml").Items);
            return;
        }

        SuiteException error = Assert.Throws<SuiteException>(() => SuiteLoader.Parse(yaml, "s.yaml"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_initramfs_is_the_definition_s_own()
    {
        const string Yaml = "suite: s\ntests:\n  - name: t\n    vm: {kernel: k, initramfs: {text: {/init: x}, modules: virtio_blk, gzip: true}}\n";
        VmDefinition vm = SuiteLoader.Parse(Yaml, "s.yaml").Items[0].Test.Vm.Definition;

        Assert.Equal(("x", "virtio_blk", true), (vm.Initramfs!.Text["/init"], vm.Initramfs.Modules.Single(), vm.Initramfs.Gzip));
    }
}
