using System;
using System.Collections.Generic;

namespace VirtShell.Harness;

/// <summary>Watches a run. Calls come on any thread, but never two at once; they should return quickly.</summary>
public interface IRunObserver
{
    /// <summary>Before the first item starts, with every item that will run.</summary>
    void OnRunStarted(IReadOnlyList<ItemInfo> items)
    {
    }

    void OnItemStarted(ItemInfo item)
    {
    }

    /// <summary>A few times a second while an item runs.</summary>
    void OnItemProgress(ItemInfo item, ItemProgress progress)
    {
    }

    void OnItemFinished(ItemResult result)
    {
    }

    void OnRunFinished(RunResult result)
    {
    }
}

/// <summary>One item of a run: a test with one combination of its matrix.</summary>
/// <param name="Index">Position in the run, from 0.</param>
/// <param name="SuiteFile">The suite file as the user named it.</param>
/// <param name="SuiteName">The suite's name.</param>
/// <param name="TestName">The test's name without its matrix values.</param>
/// <param name="Name">The item's full name, unique in the run: <c>suite / test (value, value)</c>.</param>
/// <param name="Matrix">Axis and value, in the order of the axes; empty for a test without a matrix.</param>
public sealed record ItemInfo(int Index, string SuiteFile, string SuiteName, string TestName, string Name, IReadOnlyList<KeyValuePair<string, string>> Matrix);

/// <summary>Where an item is.</summary>
/// <param name="Activity">What it is doing, for people: "step 3 of 7: expect ~ #".</param>
/// <param name="Instructions">Retired so far.</param>
/// <param name="GuestTime">Guest time since power-on.</param>
/// <param name="Fraction">Steps done over steps in all, 0 to 1.</param>
public sealed record ItemProgress(string Activity, long Instructions, TimeSpan GuestTime, double Fraction);
