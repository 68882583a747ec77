using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>What a guest sees of its clock at power-on.</summary>
public sealed class RtcStartTests
{
    private static readonly DateTime s_later = new(2100, 5, 6, 7, 8, 9, DateTimeKind.Utc);

    [Theory]
    [InlineData("2026-01-01", "20260101000000")]
    [InlineData("2026-01-01T12:30", "20260101123000")]
    [InlineData("2026-01-01 12:30:59", "20260101123059")]
    [InlineData("1999-12-31T23:59:58+01:00", "19991231225958")]
    [InlineData("1970-01-01T00:00:00Z", "19700101000000")]
    [InlineData("9999-12-31", "99991231000000")]
    public void A_date_is_shown_at_each_start(string text, string shown)
    {
        using TemporaryFolder folder = new();
        using VmHost host = new(folder.File("home"));
        VirtualMachine vm = Create(host, folder, RtcStart.Parse(text));
        Assert.Equal(shown, Run(vm));
        Assert.Equal(shown, Run(vm));
        Assert.Equal(RtcStart.Parse(text), RtcStart.Parse(vm.Definition.RtcStart.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("now")]
    [InlineData("2026")]
    [InlineData("2026-13-01")]
    [InlineData("2026-02-30")]
    [InlineData("1969-12-31")]
    [InlineData("1970-01-01T00:00:00+01:00")]
    [InlineData("01/02/2026")]
    public void What_is_no_date_is_refused(string text)
    {
        Assert.False(RtcStart.TryParse(text, out _));
        Assert.Contains("2026-01-01", Assert.Throws<FormatException>(() => RtcStart.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Without_one_it_is_the_host_s_time(bool local)
    {
        using TemporaryFolder folder = new();
        using VmHost host = new(null);
        VirtualMachine vm = Create(host, folder, local ? RtcStart.LocalTime : RtcStart.Utc);
        DateTime before = local ? DateTime.Now : DateTime.UtcNow;
        DateTime shown = DateTime.ParseExact(Run(vm), "yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        DateTime after = local ? DateTime.Now : DateTime.UtcNow;
        Assert.InRange(shown, before.AddSeconds(-1), after);
    }

    [Fact]
    public void Time_never_runs_backward_between_the_runs_of_a_VM()
    {
        using TemporaryFolder folder = new();
        using (VmHost host = new(folder.File("home")))
        {
            VirtualMachine vm = Create(host, folder, RtcStart.At(s_later));
            Assert.Equal("21000506070809", Run(vm));
            vm.Configure(vm.Definition with { RtcStart = RtcStart.Utc });
            Assert.Equal("21000506070809", Run(vm));
        }

        using VmHost again = new(folder.File("home"));
        VirtualMachine same = Assert.Single(again.VirtualMachines);
        Assert.Equal("21000506070809", Run(same));
        same.Configure(same.Definition with { RtcStart = RtcStart.LocalTime });
        Assert.Equal("21000506070809", Run(same));

        // A date is what the user says, and a new VM has no clock yet.
        same.Configure(same.Definition with { RtcStart = RtcStart.Repeatable });
        Assert.Equal("20260101000000", Run(same));
        again.Remove(same);
        Assert.DoesNotContain("2100", Run(Create(again, folder, RtcStart.Utc)), StringComparison.Ordinal);
        foreach (VirtualMachine vm in again.VirtualMachines)
        {
            vm.AwaitTraces();
        }

        Assert.Single(Directory.GetFiles(folder.File("home"), "*.clock", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_VM_without_a_home_remembers_as_long_as_it_lives()
    {
        using TemporaryFolder folder = new();
        using VmHost host = new(null);
        VirtualMachine vm = Create(host, folder, RtcStart.At(s_later));
        Run(vm);
        vm.Configure(vm.Definition with { RtcStart = RtcStart.Utc });
        Assert.Equal("21000506070809", Run(vm));
    }

    private static VirtualMachine Create(VmHost host, TemporaryFolder folder, RtcStart start)
    {
        File.WriteAllBytes(folder.File("clock.bin"), Image());
        return host.Create(Vm.Guest("hello", "clock") with { Guest = null, Kernel = "clock.bin", BaseFolder = folder.Path, RtcStart = start });
    }

    private static string Run(VirtualMachine vm)
    {
        vm.Start();
        vm.AwaitEnd();
        return vm.Serial.GetText();
    }

    // Sends the registers of the date and the time in digits, and ends.
    private static byte[] Image()
    {
        List<byte> code = [];
        foreach (byte register in (ReadOnlySpan<byte>)[0x32, 9, 8, 7, 4, 2, 0])
        {
            code.AddRange([0xB0, register, 0xE6, 0x70, 0xE4, 0x71]); // mov al, register; out 70h, al; in al, 71h
            code.AddRange([0x88, 0xC4, 0xC0, 0xE8, 4, 0x04, (byte)'0']); // mov ah, al; shr al, 4; add al, '0'
            code.AddRange([0x66, 0xBA, 0xF8, 0x03, 0xEE]); // mov dx, 3F8h; out dx, al
            code.AddRange([0x88, 0xE0, 0x24, 0x0F, 0x04, (byte)'0', 0xEE]); // mov al, ah; and al, 0Fh; add al, '0'; out dx, al
        }

        code.AddRange([0x66, 0xBA, 0x01, 0x05, 0xEE]); // mov dx, 501h; out dx, al
        const uint Address = 0x10_0000;
        const uint Magic = 0x1BAD_B002;
        const uint Flags = 0x1_0000;
        uint[] header = [Magic, Flags, unchecked(0 - Magic - Flags), Address, Address, 0, 0, Address + 32];
        byte[] image = new byte[32 + code.Count];
        for (int i = 0; i < header.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(4 * i), header[i]);
        }

        code.CopyTo(image, 32);
        return image;
    }
}
