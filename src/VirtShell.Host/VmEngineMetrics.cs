using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using VirtShell.Cpu;

namespace VirtShell.Host;

/// <summary>What a run's engine did.</summary>
/// <param name="Engine">The engine that was asked for.</param>
/// <param name="IsTranslating">Whether guest code becomes host code: what <paramref name="Engine"/> comes to on this host.</param>
/// <param name="Counters">The counters, those before a restart after a crash included.</param>
public sealed record VmEngineMetrics(EngineKind Engine, bool IsTranslating, EngineStatistics Counters)
{
    private const string Exit = "Exits";
    private const string Retired = "Instructions";

    /// <summary>Of a VM that has not run.</summary>
    public static VmEngineMetrics None { get; } = new(EngineKind.Auto, false, default);

    /// <summary>The names of all counters, with the total <c>Exits</c>, in the order of <see cref="Values"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. None.Values.Select(v => v.Key)];

    /// <summary>What went wrong when the translator failed for the first time, for a report of the fault; null where it has not (<see cref="EngineStatistics.TranslationFailures"/>).</summary>
    public string? FirstTranslationFailure { get; init; }

    /// <summary>Faults of the translator's own, which cost speed and nothing else.</summary>
    public long TranslationFailures => Counters.TranslationFailures;

    /// <summary>Instructions retired by either engine.</summary>
    public long Instructions => Counters.InstructionsTranslated + Counters.InstructionsInterpreted;

    /// <summary>Times that emitted code was left, for whatever reason.</summary>
    public long Exits => Counters.Counters.Where(IsExit).Sum(c => c.Value);

    /// <summary>The share of instructions that emitted host code retired, from 0 to 1.</summary>
    public double TranslatedShare => Share(Counters.InstructionsTranslated, Instructions);

    /// <summary>Every counter by name; the total <c>Exits</c> stands before the exits by reason.</summary>
    public IEnumerable<KeyValuePair<string, long>> Values
    {
        get
        {
            bool totalled = false;
            foreach (KeyValuePair<string, long> counter in Counters.Counters)
            {
                if (IsExit(counter) && !totalled)
                {
                    totalled = true;
                    yield return new(Exit, Exits);
                }

                yield return counter;
            }
        }
    }

    /// <summary>A counter's name as suites write it: <c>TlbMisses</c> is <c>tlb-misses</c>.</summary>
    public static string Word(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Spell(name, '-');
    }

    /// <summary>A table for people: lines that end with a line feed, at most 60 characters wide. Behind it, where there is one, the first failure of the translator.</summary>
    public string ToText()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"Engine: {(IsTranslating ? "translator" : "interpreter")} ({Engine.ToString().ToLowerInvariant()} was asked for)\n");
        long retired = Instructions;
        long exits = Exits;
        Line(text, "instructions", retired, null);
        foreach ((string name, long value) in Values)
        {
            string label = Spell(name, ' ').Replace("tlb", "TLB", StringComparison.Ordinal);
            if (name.StartsWith(Retired, StringComparison.Ordinal))
            {
                Line(text, "  " + Spell(name[Retired.Length..], ' '), value, Share(value, retired));
            }
            else if (name != Exit && name.StartsWith(Exit, StringComparison.Ordinal))
            {
                Line(text, "  " + Spell(name[Exit.Length..], ' '), value, Share(value, exits));
            }
            else
            {
                Line(text, label, value, null);
            }
        }

        if (FirstTranslationFailure is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"A fault of VirtShell's own has cost speed, and nothing else. Please report it:\n{FirstTranslationFailure}\n");
        }

        return text.ToString();
    }

    private static bool IsExit(KeyValuePair<string, long> counter) => counter.Key.StartsWith(Exit, StringComparison.Ordinal);

    private static double Share(long part, long whole) => whole == 0 ? 0 : (double)part / whole;

    private static void Line(StringBuilder text, string label, long value, double? share)
    {
        text.Append(CultureInfo.InvariantCulture, $"  {label,-32}{value,17:#,0}");
        if (share is { } part)
        {
            text.Append(CultureInfo.InvariantCulture, $"{part * 100,7:0.0} %");
        }

        text.Append('\n');
    }

    private static string Spell(string name, char separator)
    {
        StringBuilder word = new();
        foreach (char c in name)
        {
            if (char.IsAsciiLetterUpper(c) && word.Length > 0)
            {
                word.Append(separator);
            }

            word.Append(char.ToLowerInvariant(c));
        }

        return word.ToString();
    }
}
