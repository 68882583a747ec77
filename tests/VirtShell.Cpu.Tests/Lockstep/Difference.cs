using System.Globalization;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>One thing in which the two engines differ.</summary>
internal readonly record struct Difference(string What, string Interpreter, string Translator)
{
    public static Difference Of(string what, ulong interpreter, ulong translator) =>
        new(what, interpreter.ToString("X", CultureInfo.InvariantCulture), translator.ToString("X", CultureInfo.InvariantCulture));

    public override string ToString() => $"{What,-24} interpreter {Interpreter}, translator {Translator}";
}
