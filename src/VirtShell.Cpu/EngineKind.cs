namespace VirtShell.Cpu;

/// <summary>Which engine executes guest instructions. Both retire the same instructions with the same results; they differ in speed.</summary>
public enum EngineKind
{
    /// <summary>The translator where the host can run it, else the interpreter.</summary>
    Auto,

    /// <summary>Guest blocks become host code. Needs an x86-64 host that allows executable memory; elsewhere the interpreter serves.</summary>
    Translator,

    /// <summary>The reference: decoded operations, one handler after the other.</summary>
    Interpreter,
}
