using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>
/// One setting of a definition: the row from which its rules, its key in suites, its option of the console program, its
/// parameter of cmdlets and its line in the documentation come.
/// </summary>
public abstract class Setting<TDefinition>
{
    /// <summary>The key in suites, and the option of the console program after "--" unless <see cref="Options"/> says otherwise.</summary>
    public required string Name { get; init; }

    /// <summary>The definition's property.</summary>
    public required string Property { get; init; }

    /// <summary>What it is, in sentences about it: "processor model".</summary>
    public required string Title { get; init; }

    /// <summary>What it is for, in a sentence or two without the last full stop.</summary>
    public required string Meaning { get; init; }

    /// <summary>Options of the console program, the long one first; null for "--" and <see cref="Name"/>.</summary>
    public IReadOnlyList<string>? OwnOptions { get; init; }

    /// <summary>The parameter of cmdlets; null for <see cref="Property"/>.</summary>
    public string? OwnParameter { get; init; }

    /// <summary>The property of VMs that Get-VM gives; null for <see cref="Property"/>.</summary>
    public string? OwnOutput { get; init; }

    /// <summary>Whether it may change while the VM is on.</summary>
    public bool IsLive { get; init; }

    /// <summary>Whether saved state of a definition with another value is taken: it says how a run is conducted, not what it is made of.</summary>
    public bool MayDifferFromState { get; init; }

    /// <summary>The front ends that do not have it, and why.</summary>
    public IReadOnlyDictionary<FrontEnd, string> Absent { get; init; } = new Dictionary<FrontEnd, string>();

    /// <summary>What front ends have to say of it beside its meaning: whole sentences.</summary>
    public IReadOnlyDictionary<FrontEnd, string> Remarks { get; init; } = new Dictionary<FrontEnd, string>();

    /// <summary>The default in words, to complete "Default ...", where a front end has none that is a value.</summary>
    public IReadOnlyDictionary<FrontEnd, string> DefaultWords { get; init; } = new Dictionary<FrontEnd, string>();

    public IReadOnlyList<string> Options => OwnOptions ?? ["--" + Name];

    public string Parameter => OwnParameter ?? Property;

    public string Output => OwnOutput ?? Property;

    /// <summary>The property's name in a definition on disk.</summary>
    public string JsonName => JsonNamingPolicy.CamelCase.ConvertName(Property);

    /// <summary>The type of its values.</summary>
    public abstract Type ValueType { get; }

    /// <summary>Whether a definition may be without it.</summary>
    public abstract bool IsOptional { get; }

    public bool Has(FrontEnd frontEnd) => !Absent.ContainsKey(frontEnd);

    /// <summary>What is wrong with the definition's value, as a clause without a full stop; null where it may be.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="subject">What the clause is about; null for <see cref="Title"/>.</param>
    public abstract string? Problem(TDefinition definition, string? subject = null);

    /// <summary>The JSON path of a null where a value is needed; null where there is none.</summary>
    public abstract string? FindNull(TDefinition definition);

    public abstract object? ValueOf(TDefinition definition);

    /// <exception cref="InvalidCastException">It is no value of <see cref="ValueType"/>.</exception>
    public abstract TDefinition WithValue(TDefinition definition, object? value);

    /// <summary><paramref name="to"/> with the value that <paramref name="from"/> has.</summary>
    public abstract TDefinition Copy(TDefinition from, TDefinition to);

    /// <summary><paramref name="definition"/> with what the front end has where nobody says anything.</summary>
    public abstract TDefinition WithDefault(TDefinition definition, FrontEnd frontEnd);

    /// <summary>What the front end has where nobody says anything, as its users write it; null where that is nothing.</summary>
    public abstract string? DefaultText(FrontEnd frontEnd);

    /// <summary>Meaning, choices or bounds, remarks and default, for people who use the front end.</summary>
    public abstract string Describe(FrontEnd frontEnd);

    public abstract JsonObject Schema();

    public abstract void Accept(ISettingVisitor<TDefinition> visitor);
}

/// <summary>Does something with settings whatever the type of their values.</summary>
public interface ISettingVisitor<TDefinition>
{
    void Visit<T>(Setting<TDefinition, T> setting);
}

/// <inheritdoc/>
/// <param name="blank">A definition as it is before anybody sets anything: its values are the defaults.</param>
/// <param name="kind">What values may be.</param>
/// <param name="get">Gives the definition's value; null where it is without.</param>
/// <param name="with">Gives the definition with another value.</param>
public sealed class Setting<TDefinition, T>(TDefinition blank, SettingKind<T> kind, Func<TDefinition, T?> get, Func<TDefinition, T?, TDefinition> with) : Setting<TDefinition>
{
    public SettingKind<T> Kind => kind;

    /// <summary>What a front end has in the default's place, where that is another one on purpose.</summary>
    public IReadOnlyDictionary<FrontEnd, T> OwnDefaults { get; init; } = new Dictionary<FrontEnd, T>();

    public override Type ValueType => typeof(T);

    public override bool IsOptional => get(blank) is null;

    public T? Get(TDefinition definition) => get(definition);

    public TDefinition With(TDefinition definition, T? value) => with(definition, value);

    public T? DefaultFor(FrontEnd frontEnd) => OwnDefaults.TryGetValue(frontEnd, out T? own) ? own : get(blank);

    public override string? Problem(TDefinition definition, string? subject = null) =>
        get(definition) is { } value ? kind.Problem(subject ?? Title, value) : IsOptional ? null : $"{subject ?? Title} is missing";

    public override string? FindNull(TDefinition definition) =>
        get(definition) is not { } value ? IsOptional ? null : JsonName : kind.FindNull(value) is { } inside ? JsonName + inside : null;

    public override object? ValueOf(TDefinition definition) => get(definition);

    public override TDefinition WithValue(TDefinition definition, object? value) => with(definition, (T?)value);

    public override TDefinition Copy(TDefinition from, TDefinition to) => with(to, get(from));

    public override TDefinition WithDefault(TDefinition definition, FrontEnd frontEnd) =>
        OwnDefaults.TryGetValue(frontEnd, out T? own) ? with(definition, own) : definition;

    public override string? DefaultText(FrontEnd frontEnd) =>
        DefaultWords.TryGetValue(frontEnd, out string? words) ? words : DefaultFor(frontEnd) is { } own ? kind.Show(own, frontEnd) : null;

    public override string Describe(FrontEnd frontEnd)
    {
        string text = Meaning;
        text += (kind.Choices(frontEnd) ?? kind.Bounds) is { } values ? $": {values}." : ".";
        if (Remarks.TryGetValue(frontEnd, out string? remark))
        {
            text += " " + remark;
        }

        return DefaultText(frontEnd) is { } value ? $"{text} Default {value}." : text;
    }

    public override JsonObject Schema() => kind.Schema();

    public override void Accept(ISettingVisitor<TDefinition> visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Visit(this);
    }
}
