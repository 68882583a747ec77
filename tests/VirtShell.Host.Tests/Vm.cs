using System;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Shorthand for tests with bundled guests.</summary>
internal static class Vm
{
    /// <summary>Only against a test that never ends; nothing is judged by it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static VmDefinition Guest(string guest, string? name = null) => new()
    {
        Name = name ?? guest,
        Guest = guest,
        MemoryBytes = 16 << 20,
        Clock = ClockMode.Virtual,
    };

    /// <summary>A guest that computes during a dozen quanta and ends after a certain instruction.</summary>
    public static VmDefinition LongRun(string name = "long-run") => Guest("busy-loop", name) with { HangInstructions = 12_345_678 };

    public static VirtualMachine Started(this VmHost host, VmDefinition definition, IGuestDriver? driver = null)
    {
        VirtualMachine vm = host.Create(definition);
        vm.Start(driver);
        return vm;
    }

    public static void AwaitEnd(this VirtualMachine vm) => Assert.True(vm.WaitForEndAsync().Wait(Patience), $"VM '{vm.Name}' did not end; its log: {vm.Serial.GetText()}");

    /// <summary>Runs a guest by itself to its end.</summary>
    public static VirtualMachine RunAlone(VmDefinition definition, IGuestDriver? driver = null)
    {
        using VmHost host = new(null, workers: 1);
        VirtualMachine vm = host.Started(definition, driver);
        vm.AwaitEnd();
        return vm;
    }

    public static async Task<SerialMatch> AwaitSerial(this VirtualMachine vm, string text, long from = 0)
    {
        SerialMatch? match = await vm.WaitForSerialAsync(text, from, hostTimeLimit: Patience, cancellation: CancellationToken.None);
        return match ?? throw new Xunit.Sdk.XunitException($"'{text}' did not come; the log: {vm.Serial.GetText()}");
    }
}
