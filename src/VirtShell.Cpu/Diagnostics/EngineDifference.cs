using System.Globalization;

namespace VirtShell.Cpu.Diagnostics;

/// <summary>One thing in which two engines differ that ran the same guest.</summary>
/// <param name="What">Register, flag, byte of memory.</param>
/// <param name="Interpreter">What the interpreter left there.</param>
/// <param name="Translator">What the translator left there.</param>
public readonly record struct EngineDifference(string What, string Interpreter, string Translator)
{
    public static EngineDifference Of(string what, ulong interpreter, ulong translator) =>
        new(what, interpreter.ToString("X", CultureInfo.InvariantCulture), translator.ToString("X", CultureInfo.InvariantCulture));

    public override string ToString() => $"{What,-24} interpreter {Interpreter}, translator {Translator}";
}
