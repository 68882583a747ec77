using System;

namespace VirtShell.Cpu.Tests;

/// <summary>The engine under test: VIRTSHELL_ENGINE (<c>./test --engine NAME</c>), else the one that processors take by themselves.</summary>
internal static class TestEngine
{
    public static EngineKind Kind { get; } = Read(Environment.GetEnvironmentVariable("VIRTSHELL_ENGINE"));

    private static EngineKind Read(string? name) => name?.ToUpperInvariant() switch
    {
        null or "" or "AUTO" => EngineKind.Auto,
        "TRANSLATOR" => EngineKind.Translator,
        "INTERPRETER" => EngineKind.Interpreter,
        _ => throw new InvalidOperationException($"VIRTSHELL_ENGINE is auto, translator or interpreter, not \"{name}\"."),
    };
}
