using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>Reads a value of a table, as scripts write them, into a setting of what the table stands for.</summary>
/// <param name="before">The definition before it.</param>
/// <param name="value">The value: what a script puts there, be it text, a number, a list or a table.</param>
/// <param name="bad">Makes the exception for a value that will not do.</param>
internal sealed class TableValue<TDefinition>(TDefinition before, object? value, Func<string, Exception> bad) : ISettingVisitor<TDefinition>
{
    private readonly object? _value = Unwrap(value);

    public TDefinition Result { get; private set; } = before;

    public void Visit<T>(Setting<TDefinition, T> setting)
    {
        object? read = setting.Kind switch
        {
            WordKind<T> words => words.TryParseLoosely(Text(_value), out T word) ? word : throw Wrong(setting),
            ScalarKind<string> => _value?.ToString(),
            ScalarKind<T> scalar => LanguagePrimitives.TryConvertTo(_value, CultureInfo.InvariantCulture, out T number) || scalar.TryParse(Text(_value), out number) ? number : throw Wrong(setting),
            ListOf<string> => List(),
            MapOf<string> => Map(setting.Property),
            _ => throw new NotSupportedException($"Tables need a way of their own to write {setting.Kind.Expected}."),
        };
        if (read is not null)
        {
            Result = setting.WithValue(Result, read);
        }
    }

    private static object? Unwrap(object? one) => one is PSObject wrapped ? wrapped.BaseObject : one;

    private static string Text(object? one) => Unwrap(one)?.ToString() ?? string.Empty;

    private Exception Wrong<T>(Setting<TDefinition, T> setting) => bad($"'{Text(_value)}' is no {setting.Title}; it is {setting.Kind.Expected}.");

    private List<string> List() => _value switch
    {
        null => [],
        string one => [one],
        IEnumerable many => [.. many.Cast<object?>().Select(Text)],
        _ => [Text(_value)],
    };

    private Dictionary<string, string> Map(string key)
    {
        Dictionary<string, string> map = new(StringComparer.Ordinal);
        if (_value is not null and not IDictionary)
        {
            throw bad($"An initramfs' {key} is a table: @{{ '/path' = '…' }}.");
        }

        foreach (DictionaryEntry entry in _value as IDictionary ?? new Hashtable())
        {
            map[entry.Key.ToString() ?? string.Empty] = Text(entry.Value);
        }

        return map;
    }
}
