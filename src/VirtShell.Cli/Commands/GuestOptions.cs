using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using VirtShell.Host;
using VirtShell.Images;
using VirtShell.Settings;

namespace VirtShell.Cli.Commands;

/// <summary>The options that describe one guest: one for each setting that the console program has.</summary>
internal sealed class GuestOptions
{
    private readonly List<Entry> _entries = [];

    /// <param name="leftOut">Settings that mean nothing to the command.</param>
    public GuestOptions(params Setting<VmDefinition>[] leftOut)
    {
        var maker = new Maker(_entries);
        foreach (Setting<VmDefinition> setting in VmSettings.Of(FrontEnd.Console).Except(leftOut))
        {
            setting.Accept(maker);
        }
    }

    private delegate VmDefinition Applier(VmDefinition definition, ParseResult parsed);

    public IEnumerable<Option> All => _entries.Select(e => e.Option);

    /// <summary>Whether a setting was given.</summary>
    public bool Gives(ParseResult parsed, Setting<VmDefinition> setting) => _entries.Find(e => e.Setting == setting) is { } entry && parsed.GetResult(entry.Option) is not null;

    /// <summary><paramref name="definition"/> with what was given.</summary>
    /// <exception cref="UsageException">A value is none of its setting.</exception>
    public VmDefinition Apply(VmDefinition definition, ParseResult parsed) => _entries.Aggregate(definition, (d, entry) => entry.Apply(d, parsed));

    /// <summary>A disk as an option writes it: the image, then settings behind commas, each a word or NAME=VALUE.</summary>
    internal static VmDisk ReadDisk(string option, string text) => ReadRecord(option, text, VmDiskSettings.All, new VmDisk(text), (disk, image) => disk with { Source = image });

    /// <summary>A CD drive as an option writes it: the image, or nothing, then settings behind commas.</summary>
    internal static VmCdDrive ReadCd(string option, string text) =>
        ReadRecord(option, text, VmCdSettings.All, new VmCdDrive(), (drive, image) => drive with { Source = image.Length == 0 ? null : image });

    /// <summary>A floppy drive as an option writes it: the image, or nothing, then settings behind commas.</summary>
    internal static VmFloppyDrive ReadFloppy(string option, string text) =>
        ReadRecord(option, text, VmFloppySettings.All, new VmFloppyDrive(), (drive, image) => drive with { Source = image.Length == 0 ? null : image });

    private static T ReadRecord<T>(string option, string text, IReadOnlyList<Setting<T>> settings, T blank, Func<T, string, T> withImage)
        where T : class
    {
        var reader = new RecordReader<T>(option, settings, blank);
        T record = blank;
        string image = text;
        while (image.LastIndexOf(',') is >= 0 and int comma && reader.TryRead(record, image[(comma + 1)..]) is { } read)
        {
            record = read;
            image = image[..comma];
        }

        return withImage(record, image);
    }

    /// <summary>An initramfs as an option writes it: a folder, or KEY=VALUE, and more of it with every use.</summary>
    internal static InitramfsDefinition ReadInitramfs(string option, IEnumerable<string> texts)
    {
        InitramfsDefinition definition = new();
        foreach (string text in texts)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? string.Empty : text[..equals];
            bool isFolder = equals < 0 || Directory.Exists(text);
            Setting<InitramfsDefinition>? part = InitramfsSettings.All.FirstOrDefault(s => s.Name == (isFolder ? "folder" : key));
            if (part is null)
            {
                throw new UsageException($"{option} has no \"{key}\". Give a folder, or KEY=VALUE with one of {string.Join(", ", InitramfsSettings.All.Select(s => s.Name))}.");
            }

            var reader = new PartReader($"{option} {part.Name}", definition, isFolder ? text : text[(equals + 1)..]);
            part.Accept(reader);
            definition = reader.Result;
        }

        return definition;
    }

    /// <summary>Reads the value of a setting that is one word or line.</summary>
    internal static T Read<T>(ScalarKind<T> kind, string option, string text)
    {
        if (!kind.TryParse(text, out T value))
        {
            throw new UsageException($"{option} needs {kind.Expected}, not \"{text}\".");
        }

        return kind.Problem(option, value) is { } problem ? throw new UsageException($"{problem}.") : value;
    }

    private sealed record Entry(Setting<VmDefinition> Setting, Option Option, Applier Apply);

    private sealed class Maker(List<Entry> entries) : ISettingVisitor<VmDefinition>
    {
        public void Visit<T>(Setting<VmDefinition, T> setting)
        {
            string name = setting.Options[0];
            switch (setting.Kind)
            {
                case ScalarKind<T> scalar:
                    AddOne(setting, scalar.Word, (d, text) => setting.With(d, Read(scalar, name, text)));
                    break;
                case ListOf<string> { Item: ScalarKind<string> item }:
                    AddMany(setting, item.Word, (d, texts) => setting.WithValue(d, Array.ConvertAll(texts, text => Read(item, name, text))));
                    break;
                case ListOf<VmDisk>:
                    AddMany(setting, "image[,access]", (d, texts) => d with { Disks = [.. texts.Select(text => ReadDisk(name, text))] });
                    break;
                case ListOf<VmCdDrive>:
                    AddMany(setting, "image[,place]", (d, texts) => d with { Cds = [.. texts.Select(text => ReadCd(name, text))] });
                    break;
                case ListOf<VmFloppyDrive>:
                    AddMany(setting, "image[,access]", (d, texts) => d with { Floppies = [.. texts.Select(text => ReadFloppy(name, text))] });
                    break;
                case RecordOf<InitramfsDefinition>:
                    AddMany(setting, "folder|key=value", (d, texts) => d with { Initramfs = ReadInitramfs(name, texts) });
                    break;
                default:
                    throw new NotSupportedException($"{name} needs a way of its own to write {setting.Kind.Expected}.");
            }
        }

        private void AddOne(Setting<VmDefinition> setting, string word, Func<VmDefinition, string, VmDefinition> apply)
        {
            var option = new Option<string?>(setting.Options[0], [.. setting.Options.Skip(1)]) { Description = setting.Describe(FrontEnd.Console), HelpName = word };
            entries.Add(new Entry(setting, option, (d, parsed) => parsed.GetValue(option) is { } text ? apply(d, text) : d));
        }

        private void AddMany(Setting<VmDefinition> setting, string word, Func<VmDefinition, string[], VmDefinition> apply)
        {
            var option = new Option<string[]?>(setting.Options[0], [.. setting.Options.Skip(1)]) { Description = setting.Describe(FrontEnd.Console), HelpName = word };
            entries.Add(new Entry(setting, option, (d, parsed) => parsed.GetValue(option) is { Length: > 0 } texts ? apply(d, texts) : d));
        }
    }

    private sealed class RecordReader<TRecord>(string option, IReadOnlyList<Setting<TRecord>> settings, TRecord blank) : ISettingVisitor<TRecord>
        where TRecord : class
    {
        private TRecord? _result;
        private TRecord _disk = blank;
        private string _text = string.Empty;

        /// <summary>The disk with what <paramref name="part"/> says; null where it says nothing of a disk and belongs to the image's name.</summary>
        public TRecord? TryRead(TRecord before, string part)
        {
            (_disk, _text, _result) = (before, part, null);
            foreach (Setting<TRecord> setting in settings)
            {
                setting.Accept(this);
            }

            return _result;
        }

        public void Visit<T>(Setting<TRecord, T> setting)
        {
            if (setting.Kind is not ScalarKind<T> scalar)
            {
                return;
            }

            string prefix = setting.Name + "=";
            if (_text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                _result = setting.With(_disk, Read(scalar, $"{option} {setting.Name}", _text[prefix.Length..]));
            }
            else if (scalar is WordKind<T> words && words.TryParse(_text, out T value))
            {
                _result = setting.With(_disk, value);
            }
        }
    }

    private sealed class PartReader(string option, InitramfsDefinition before, string text) : ISettingVisitor<InitramfsDefinition>
    {
        public InitramfsDefinition Result { get; private set; } = before;

        public void Visit<T>(Setting<InitramfsDefinition, T> setting)
        {
            switch (setting)
            {
                case Setting<InitramfsDefinition, IReadOnlyList<string>> list:
                    Result = list.With(Result, [.. list.Get(Result) ?? [], text]);
                    break;
                case Setting<InitramfsDefinition, IReadOnlyDictionary<string, string>> map:
                    int equals = text.IndexOf('=', StringComparison.Ordinal);
                    if (equals < 1)
                    {
                        throw new UsageException($"{option} needs PATH=VALUE, not \"{text}\".");
                    }

                    Result = map.With(Result, new Dictionary<string, string>(map.Get(Result) ?? new Dictionary<string, string>()) { [text[..equals]] = text[(equals + 1)..] });
                    break;
                default:
                    Result = setting.With(Result, Read((ScalarKind<T>)setting.Kind, option, text));
                    break;
            }
        }
    }
}
