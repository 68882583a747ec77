using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Settings;

namespace VirtShell.Harness.Model;

/// <summary>Gives a mapping of suites the keys that settings have, one for each row of a table.</summary>
internal static class SettingBinding
{
    /// <summary>Adds a key for each setting that suites have.</summary>
    /// <param name="kind">The mapping.</param>
    /// <param name="settings">The table.</param>
    /// <param name="get">Gives the definition that the model object holds.</param>
    /// <param name="set">Gives it another one.</param>
    /// <param name="own">Keys that suites write in a way of their own: added by the function, in the setting's place.</param>
    public static ObjectKind<TModel> WithSettings<TModel, TDefinition>(
        this ObjectKind<TModel> kind,
        IEnumerable<Setting<TDefinition>> settings,
        Func<TModel, TDefinition> get,
        Action<TModel, TDefinition> set,
        IReadOnlyDictionary<string, Action<ObjectKind<TModel>, string>>? own = null)
        where TModel : class, new()
    {
        var binder = new Binder<TModel, TDefinition>(kind, get, set);
        foreach (Setting<TDefinition> setting in settings.Where(s => s.Has(FrontEnd.Suites)))
        {
            if (own is not null && own.TryGetValue(setting.Name, out Action<ObjectKind<TModel>, string>? add))
            {
                add(kind, setting.Describe(FrontEnd.Suites));
            }
            else
            {
                setting.Accept(binder);
            }
        }

        return kind;
    }

    /// <summary>How a setting's values are written in suites, its own bounds included.</summary>
    /// <exception cref="NotSupportedException">Suites have no way to write such a value.</exception>
    private static Kind<T> KindOf<T>(SettingKind<T> kind) => kind switch
    {
        ScalarKind<T> scalar => Kinds.Of(scalar),
        ListOf<string> { Item: ScalarKind<string> item } => (Kind<T>)(object)new ListKind<string>(Kinds.Of(item), allowSingle: true),
        MapOf<string> { Item: ScalarKind<string> item } map => (Kind<T>)(object)new MapKind<string>(map.KeyMeaning, Kinds.Of(item)),
        _ => throw new NotSupportedException($"Suites need a way of their own to write {kind.Expected}."),
    };

    private sealed class Binder<TModel, TDefinition>(ObjectKind<TModel> target, Func<TModel, TDefinition> get, Action<TModel, TDefinition> set) : ISettingVisitor<TDefinition>
        where TModel : class, new()
    {
        public void Visit<T>(Setting<TDefinition, T> setting) =>
            target.With(setting.Name, setting.Describe(FrontEnd.Suites), new Bounded<T>(setting.Name, KindOf(setting.Kind), setting.Kind), (model, value) => set(model, setting.With(get(model), value)));
    }

    /// <summary>A kind whose values a setting's bounds hold for, too.</summary>
    private sealed class Bounded<T>(string name, Kind<T> written, SettingKind<T> kind) : Kind<T>
    {
        public override string Expected => written.Expected;

        public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value)
        {
            if (!written.TryBind(node, diagnostics, out value))
            {
                return false;
            }

            string? problem = kind.Problem(name, value);
            if (problem is not null)
            {
                diagnostics.Add(node.Mark, problem);
            }

            return problem is null;
        }

        public override JsonObject Schema(SchemaBuilder schema) => written.Schema(schema);
    }
}
