using System.Linq;
using VirtShell.Cpu;

namespace VirtShell.Harness;

/// <summary>Names of the engines, as suites and command lines write them.</summary>
public static class Engines
{
    public static (string Word, EngineKind Engine)[] Words =>
    [
        ("auto", EngineKind.Auto),
        ("translator", EngineKind.Translator),
        ("interpreter", EngineKind.Interpreter),
    ];

    /// <summary>The word for an engine.</summary>
    public static string Word(EngineKind engine) => Words.First(w => w.Engine == engine).Word;
}
