using System;
using System.Collections.Generic;

namespace VirtShell.State;

/// <summary>Records as they come from the stream, in both formats.</summary>
internal sealed partial class StateLoader
{
    // The next record of the open section; its content is what the stream gives next. False at the section's end.
    private bool TryHeader(out Header header)
    {
        Frame frame = Top;
        header = default;
        if (frame.Pending is Header pending)
        {
            frame.Pending = null;
            header = pending;
            return true;
        }

        if (!frame.IsStreaming || _source.Position >= frame.Limit)
        {
            frame.IsStreaming = false;
            return false;
        }

        Span<byte> kind = stackalloc byte[1];
        if (!_source.TryFill(kind))
        {
            // The first format ends where its stream does.
            frame.IsStreaming = false;
            return frame.End == long.MaxValue ? false : throw CutShort();
        }

        if (kind[0] == StateFormat.End && !_isFirstFormat)
        {
            frame.IsStreaming = false;
            return false;
        }

        header = ReadHeader(frame, kind[0]);
        return true;
    }

    private Header ReadHeader(Frame frame, byte kind)
    {
        if (!_source.TryReadName(out string name))
        {
            throw CutShort();
        }

        bool isSection = kind == StateFormat.Section;
        long length = 0;
        int version = 0;
        if (_isFirstFormat || !isSection)
        {
            if (!_source.TryReadInt64(out length))
            {
                throw CutShort();
            }

            if (length < 0 || length > frame.Limit - _source.Position)
            {
                throw Damaged($"record '{Path}/{name}' claims {length} bytes where {frame.Limit - _source.Position} remain.");
            }
        }

        long end = _isFirstFormat ? _source.Position + length : Frame.EndsByRecord;
        if (isSection)
        {
            if (_isFirstFormat && length < sizeof(int))
            {
                throw Damaged($"section '{Path}/{name}' is {length} bytes long.");
            }

            if (!_source.TryReadInt32(out version))
            {
                throw CutShort();
            }
        }

        return new Header(kind, name, version, length, end);
    }

    private void Push(Header section, int newestVersion)
    {
        CheckVersion(section.Name, section.Version, newestVersion);
        Push(new Frame($"{Path}/{section.Name}", section.Version) { IsStreaming = true, End = section.End });
    }

    private void Push(Frame frame)
    {
        if (_open.Count > StateFormat.DeepestNesting)
        {
            throw Damaged($"sections nest deeper than {StateFormat.DeepestNesting} at '{Path}'.");
        }

        _open.Push(frame);
    }

    // Reads over what is left of the open section.
    private void Drain()
    {
        while (TryHeader(out Header header))
        {
            Skip(header);
        }
    }

    private void Skip(Header header)
    {
        if (header.Kind == StateFormat.Section)
        {
            Push(header, int.MaxValue);
            Drain();
            _open.Pop();
            return;
        }

        StateDigest digest = new();
        if (!_source.TrySkip(header.Length, ref digest))
        {
            throw CutShort();
        }
    }

    private void Hold(Header header)
    {
        Frame frame = Top;
        frame.Held ??= new OrderedDictionary<string, StateNode>(StringComparer.Ordinal);
        frame.Held[header.Name] = ReadNode(header, int.MaxValue);
    }

    private StateNode ReadNode(Header header, int largest)
    {
        if (header.Kind == StateFormat.Section)
        {
            Push(header, int.MaxValue);
            StateNode section = new(header.Name, header.Version);
            while (TryHeader(out Header child))
            {
                section.Children![child.Name] = ReadNode(child, largest);
            }

            _open.Pop();
            return section;
        }

        if (header.Length > largest)
        {
            StateDigest digest = new();
            return _source.TrySkip(header.Length, ref digest) ? new StateNode(header.Name, header.Length, digest.Value) : throw CutShort();
        }

        _held += header.Length + HeldOverhead;
        if (_held > MostHeldBytes)
        {
            throw Damaged($"more than {MostHeldBytes >> 20} MiB come out of order in section '{Path}'.");
        }

        return new StateNode(header.Name, ReadValue(header.Length));
    }

    private byte[] ReadValue(long length) => length <= System.Array.MaxLength && _source.TryRead(length, out byte[] value) ? value : throw CutShort();

    private void Fill(Span<byte> destination)
    {
        if (!_source.TryFill(destination))
        {
            throw CutShort();
        }
    }

    private StateFormatException CutShort()
    {
        _failed = true;
        return new StateFormatException($"Saved state is cut short in section '{(Path.Length == 0 ? "/" : Path)}'.");
    }

    /// <summary>The head of a record. <paramref name="End"/> is where a section of the first format ends.</summary>
    private readonly record struct Header(byte Kind, string Name, int Version, long Length, long End);

    /// <summary>A section that is open.</summary>
    private sealed class Frame(string path, int version)
    {
        public const long EndsByRecord = -1;

        public string Path { get; } = path;

        public int Version { get; } = version;

        public bool IsAbsent { get; init; }

        /// <summary>Whether more of it may come from the stream.</summary>
        public bool IsStreaming { get; set; }

        /// <summary>Position of the section's end, where that is known.</summary>
        public long End { get; init; } = EndsByRecord;

        public long Limit => End == EndsByRecord ? long.MaxValue : End;

        /// <summary>Read, and not yet asked for.</summary>
        public OrderedDictionary<string, StateNode>? Held { get; set; }

        /// <summary>A record that was read and belongs to what is asked for next.</summary>
        public Header? Pending { get; set; }
    }
}
