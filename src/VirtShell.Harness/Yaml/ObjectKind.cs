using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Host;

namespace VirtShell.Harness.Yaml;

/// <summary>A model object that remembers where it stands in the suite.</summary>
internal interface IPlaced
{
    Mark Mark { get; set; }
}

/// <summary>A mapping with known keys, bound to a model object.</summary>
/// <param name="name">Its name under <c>$defs</c>.</param>
/// <param name="what">What it is, for messages: "a vm".</param>
/// <param name="description">For editors.</param>
internal sealed class ObjectKind<T>(string name, string what, string description) : Kind<T>
    where T : class, new()
{
    private delegate bool Binder(SuiteNode node, Diagnostics diagnostics, T target);

    private readonly List<Property> _properties = [];
    private readonly List<string[]> _exclusive = [];
    private Binder? _shorthand;
    private string? _shorthandExpected;
    private Func<SchemaBuilder, JsonObject>? _shorthandSchema;
    private Action<T, MappingNode?, SuiteNode, Diagnostics>? _check;

    private sealed record Property(string Name, string Description, bool Required, Binder Bind, Func<SchemaBuilder, JsonObject> Schema);

    public override string Expected => _shorthandExpected is null
        ? $"{what}: a mapping with {string.Join(", ", _properties.Select(p => p.Name))}"
        : $"{_shorthandExpected} or a mapping with {string.Join(", ", _properties.Select(p => p.Name))}";

    public IEnumerable<string> Keys => _properties.Select(p => p.Name);

    public ObjectKind<T> With<TValue>(string key, string meaning, Kind<TValue> kind, Action<T, TValue> set, bool required = false)
    {
        _properties.Add(new Property(
            key,
            meaning,
            required,
            (node, diagnostics, target) =>
            {
                if (!kind.TryBind(node, diagnostics, out TValue value))
                {
                    return false;
                }

                set(target, value);
                return true;
            },
            kind.Schema));
        return this;
    }

    /// <summary>Allows a value of <paramref name="kind"/> instead of the mapping.</summary>
    public ObjectKind<T> Shorthand<TValue>(Kind<TValue> kind, Action<T, TValue> set)
    {
        _shorthand = (node, diagnostics, target) =>
        {
            if (!kind.TryBind(node, diagnostics, out TValue value))
            {
                return false;
            }

            set(target, value);
            return true;
        };
        _shorthandExpected = kind.Expected;
        _shorthandSchema = kind.Schema;
        return this;
    }

    /// <summary>At most one of these keys may be given.</summary>
    public ObjectKind<T> AtMostOne(params string[] keys)
    {
        _exclusive.Add(keys);
        return this;
    }

    /// <summary>A check over the whole object, after its parts were bound without error.</summary>
    public ObjectKind<T> Check(Action<T, MappingNode?, SuiteNode, Diagnostics> check1)
    {
        _check = check1;
        return this;
    }

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value)
    {
        value = new T();
        if (value is IPlaced placed)
        {
            placed.Mark = node.Mark;
        }

        bool ok;
        if (node is MappingNode mapping)
        {
            ok = BindMapping(mapping, diagnostics, value);
        }
        else if (_shorthand is not null && node is ScalarNode { IsNull: false })
        {
            ok = _shorthand(node, diagnostics, value);
        }
        else
        {
            Mismatch(node, diagnostics);
            return false;
        }

        if (ok)
        {
            _check?.Invoke(value, node as MappingNode, node, diagnostics);
        }

        return ok;
    }

    public override JsonObject Schema(SchemaBuilder schema) => schema.Reference(name, () =>
    {
        JsonObject body = Body(schema);
        return _shorthandSchema is null ? body : SchemaBuilder.AnyOf(_shorthandSchema(schema), body);
    });

    /// <summary>The mapping's schema, in place; <paramref name="partial"/> leaves out what is required, for defaults.</summary>
    public JsonObject Body(SchemaBuilder schema, bool partial = false)
    {
        var members = new JsonObject();
        var required = new JsonArray();
        foreach (Property property in _properties)
        {
            JsonObject member = property.Schema(schema);
            member["description"] = property.Description;
            members[property.Name] = member;
            if (property.Required)
            {
                required.Add(property.Name);
            }
        }

        var body = new JsonObject { ["type"] = "object", ["description"] = description, ["properties"] = members, ["additionalProperties"] = false };
        if (required.Count > 0 && !partial)
        {
            body["required"] = required;
        }

        return body;
    }

    private bool BindMapping(MappingNode mapping, Diagnostics diagnostics, T value)
    {
        bool ok = true;
        var misspelt = new HashSet<string>(StringComparer.Ordinal);
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in mapping.Entries)
        {
            Property? property = _properties.Find(p => p.Name == entry.Key.Value);
            if (property is null)
            {
                diagnostics.Add(entry.Key.Mark, $"unknown key \"{Printable.Escape(entry.Key.Value)}\" in {what}{Nearest.Hint(entry.Key.Value, [.. Keys])}");
                if (Nearest.Find(entry.Key.Value, Keys) is { } meant)
                {
                    misspelt.Add(meant);
                }

                ok = false;
                continue;
            }

            // An explicit null reads as "not given".
            if (entry.Value is not ScalarNode { IsNull: true } && !property.Bind(entry.Value, diagnostics, value))
            {
                ok = false;
            }
        }

        foreach (Property property in _properties)
        {
            // A key that is written wrong was told of; that it is missing is the same mistake.
            if (property.Required && !misspelt.Contains(property.Name) && mapping.Find(property.Name) is (null or ScalarNode { IsNull: true }))
            {
                diagnostics.Add(mapping.Mark, $"{what} needs \"{property.Name}\": {property.Description}");
                ok = false;
            }
        }

        foreach (string[] group in _exclusive)
        {
            KeyValuePair<ScalarNode, SuiteNode>[] given = [.. mapping.Entries.Where(e => group.Contains(e.Key.Value) && e.Value is not ScalarNode { IsNull: true })];
            if (given.Length > 1)
            {
                diagnostics.Add(given[1].Key.Mark, $"\"{given[1].Key.Value}\" and \"{given[0].Key.Value}\" exclude each other (the other one is on line {given[0].Key.Mark.Line}); a test removes an inherited one with \"{given[0].Key.Value}: null\"");
                ok = false;
            }
        }

        return ok;
    }
}
