using System;
using System.CommandLine;
using VirtShell.Harness;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell schema</c>: prints the JSON Schema of suites.</summary>
internal static class SchemaCommand
{
    public static Command Create()
    {
        var command = new Command("schema", "Prints the JSON Schema of suite files, for editors.");
        command.SetAction(_ =>
        {
            Console.Out.Write(SuiteSchema.Generate());
            return ExitCodes.Success;
        });
        return command;
    }
}
