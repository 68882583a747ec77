using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>Several values in order.</summary>
public sealed class ListOf<T>(SettingKind<T> item) : SettingKind<IReadOnlyList<T>>
{
    public SettingKind<T> Item => item;

    public override string Expected => $"a list, each entry {item.Expected}";

    public override string? Problem(string subject, IReadOnlyList<T> value) =>
        value.Select((one, i) => item.Problem($"{subject} {i + 1}", one)).FirstOrDefault(problem => problem is not null);

    public override string? FindNull(IReadOnlyList<T> value) =>
        value.Any(one => one is null) ? string.Empty : value.Select(one => item.FindNull(one)).FirstOrDefault(found => found is not null);

    public override JsonObject Schema() => new() { ["type"] = "array", ["items"] = item.Schema() };
}

/// <summary>Values by free keys.</summary>
/// <param name="keyMeaning">What a key is: "a path".</param>
/// <param name="item">The values' kind.</param>
public sealed class MapOf<T>(string keyMeaning, SettingKind<T> item) : SettingKind<IReadOnlyDictionary<string, T>>
{
    public string KeyMeaning => keyMeaning;

    public SettingKind<T> Item => item;

    public override string Expected => $"a mapping from {keyMeaning} to {item.Expected}";

    public override string? Problem(string subject, IReadOnlyDictionary<string, T> value) =>
        value.Select(one => item.Problem($"{subject} '{one.Key}'", one.Value)).FirstOrDefault(problem => problem is not null);

    public override string? FindNull(IReadOnlyDictionary<string, T> value) => value.Values.Any(one => one is null) ? string.Empty : null;

    public override JsonObject Schema() => new() { ["type"] = "object", ["additionalProperties"] = item.Schema() };
}

/// <summary>A value that has settings of its own.</summary>
/// <param name="what">What it is, with its article: "a disk".</param>
/// <param name="settings">Its settings.</param>
/// <param name="name">What people know one by; null where they know it by its place alone.</param>
public sealed class RecordOf<T>(string what, IReadOnlyList<Setting<T>> settings, Func<T, string>? name = null) : SettingKind<T>
{
    public string What => what;

    public IReadOnlyList<Setting<T>> Settings => settings;

    public override string Expected => $"{what}: a mapping with {string.Join(", ", settings.Select(s => s.Name))}";

    public override string? Problem(string subject, T value)
    {
        string known = name?.Invoke(value) is { } own && !string.IsNullOrWhiteSpace(own) ? $"{subject} ('{own}')" : subject;
        return settings.Select(s => s.Problem(value, $"{s.Title} of {known}")).FirstOrDefault(problem => problem is not null);
    }

    public override string? FindNull(T value) =>
        settings.Select(s => s.FindNull(value) is { } found ? "." + found : null).FirstOrDefault(found => found is not null);

    public override JsonObject Schema()
    {
        var members = new JsonObject();
        foreach (Setting<T> setting in settings)
        {
            members[setting.Name] = setting.Schema();
        }

        return new JsonObject { ["type"] = "object", ["properties"] = members, ["additionalProperties"] = false };
    }
}
