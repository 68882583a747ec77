using System;
using System.Globalization;
using System.Management.Automation.Host;

namespace VirtShell.Module.Tests.Hosting;

/// <summary>A console of 80 columns that keeps what is written to it and answers every question in the same way.</summary>
internal sealed class TestHost : PSHost
{
    public TestHost()
    {
        Console = new TestConsole();
    }

    public TestConsole Console { get; }

    public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => "TestHost";

    public override PSHostUserInterface UI => Console;

    public override Version Version { get; } = new(1, 0);

    public override void EnterNestedPrompt()
    {
    }

    public override void ExitNestedPrompt()
    {
    }

    public override void NotifyBeginApplication()
    {
    }

    public override void NotifyEndApplication()
    {
    }

    public override void SetShouldExit(int exitCode)
    {
    }
}
