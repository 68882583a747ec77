using System;
using System.IO.Enumeration;

namespace VirtShell.Harness;

/// <summary>Selects items by name: with wildcards the whole name, without them any part of it; case does not count.</summary>
internal static class NameFilter
{
    public static bool Matches(string filter, string name) => filter.AsSpan().ContainsAny('*', '?')
        ? FileSystemName.MatchesSimpleExpression(filter, name, ignoreCase: true)
        : name.Contains(filter, StringComparison.OrdinalIgnoreCase);
}
