using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace VirtShell.State;

/// <summary>
/// Loads state from a stream, which need not be seekable. What comes in the order in which it is asked for is taken from the
/// stream as it is; what comes earlier is held until it is asked for, or its section ends. Call <see cref="Complete"/> at the end.
/// </summary>
internal sealed partial class StateLoader : StateVisitor
{
    private const long MostHeldBytes = 1L << 30;
    private const int HeldOverhead = 64;

    private readonly Stack<Frame> _open = new();
    private readonly StateSource _source;
    private readonly bool _isFirstFormat;
    private long _held;
    private bool _failed;

    /// <summary>Begins with the state at the stream's position.</summary>
    /// <exception cref="StateFormatException">There is none.</exception>
    public StateLoader(Stream input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _source = new StateSource(input);
        if (!_source.TryReadInt32(out int magic) || (uint)magic is not (StateFormat.Magic or StateFormat.FirstMagic))
        {
            throw new StateFormatException("This is not VirtShell saved state (its first four bytes are neither 'VSS2' nor 'VSS1').");
        }

        _isFirstFormat = (uint)magic == StateFormat.FirstMagic;
        _open.Push(new Frame(string.Empty, 0) { IsStreaming = true, End = _isFirstFormat ? long.MaxValue : Frame.EndsByRecord });
    }

    public override bool IsLoading => true;

    public override bool IsAbsent => Top.IsAbsent;

    public override int Version => Top.Version;

    public override string Path => Top.Path;

    private Frame Top => _open.Peek();

    /// <summary>Reads on to the end of the state.</summary>
    /// <exception cref="StateFormatException">It is cut short.</exception>
    public void Complete() => Drain();

    /// <inheritdoc/>
    public override void Parts<T>(IReadOnlyList<T> parts, Func<T, string> nameOf, int last = 0)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(nameOf);
        Dictionary<string, int> indexes = new(StringComparer.Ordinal);
        for (int i = 0; i < parts.Count; i++)
        {
            indexes.Add(nameOf(parts[i]), i);
            if (i >= last && Holds(nameOf(parts[i])))
            {
                Part(nameOf(parts[i]), parts[i]);
            }
        }

        while (TryHeader(out Header header))
        {
            if (header.Kind != StateFormat.Section || !indexes.TryGetValue(header.Name, out int index))
            {
                Skip(header);
            }
            else if (index < last)
            {
                Hold(header);
            }
            else
            {
                Push(header, newestVersion: 1);
                parts[index].Describe(this);
                Leave();
            }
        }

        for (int i = last - 1; i >= 0; i--)
        {
            if (Holds(nameOf(parts[i])))
            {
                Part(nameOf(parts[i]), parts[i]);
            }
        }
    }

    public override bool Bytes(string name, ref byte[] value, int maxLength)
    {
        if (!TryFind(name, StateFormat.Value, out StateNode? node, out Header header))
        {
            return false;
        }

        long length = node?.Length ?? header.Length;
        if (length > maxLength)
        {
            throw Damaged($"'{Path}/{name}' is {length} bytes long, more than {maxLength}.");
        }

        value = node?.Value ?? ReadValue(length);
        return true;
    }

    public override void Blocks(string prefix, StateBlocks blocks, bool hexadecimal = false)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        NumberStyles style = hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        foreach (StateNode node in Top.Held is { } held ? held.Values : Enumerable.Empty<StateNode>())
        {
            if (node.Value is byte[] value && TryNumber(node.Name, prefix, style, out long number))
            {
                value.CopyTo(RoomFor(blocks, number, node.Name, value.Length));
                blocks.Filled(number);
            }
        }

        while (TryHeader(out Header header))
        {
            if (header.Kind != StateFormat.Value || !TryNumber(header.Name, prefix, style, out long number))
            {
                Top.Pending = header;
                return;
            }

            Fill(RoomFor(blocks, number, header.Name, header.Length));
            blocks.Filled(number);
        }
    }

    public override StateFormatException Damaged(string what)
    {
        _failed = true;
        return base.Damaged(what);
    }

    public override StateFormatException Refused(string what)
    {
        _failed = true;
        return base.Refused(what);
    }

    /// <summary>Everything that is left of the state, as a tree; values above <paramref name="largest"/> bytes as digests.</summary>
    internal StateNode ReadTree(int largest)
    {
        StateNode root = new(string.Empty, 0);
        while (TryHeader(out Header header))
        {
            root.Children![header.Name] = ReadNode(header, largest);
        }

        return root;
    }

    internal override void Enter(string name, int version)
    {
        if (!TryFind(name, StateFormat.Section, out StateNode? node, out Header header))
        {
            Push(new Frame($"{Path}/{name}", 0) { IsAbsent = true });
        }
        else if (node is not null)
        {
            CheckVersion(name, node.Version, version);
            Push(new Frame($"{Path}/{name}", node.Version) { Held = node.Children });
        }
        else
        {
            Push(header, version);
        }
    }

    internal override void Leave()
    {
        // After a failure the rest makes no sense, and a second error would hide the first.
        if (!_failed)
        {
            Drain();
        }

        _open.Pop();
    }

    internal override bool Number(string name, ref ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        if (!Fixed(name, bytes))
        {
            return false;
        }

        value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        return true;
    }

    internal override bool Fixed(string name, Span<byte> bytes)
    {
        if (!TryFind(name, StateFormat.Value, out StateNode? node, out Header header))
        {
            return false;
        }

        long length = node?.Length ?? header.Length;
        if (length != bytes.Length)
        {
            throw Damaged($"'{Path}/{name}' is {length} bytes long where {bytes.Length} are expected.");
        }

        if (node is not null)
        {
            node.Value!.CopyTo(bytes);
        }
        else
        {
            Fill(bytes);
        }

        return true;
    }

    private static bool TryNumber(string name, string prefix, NumberStyles style, out long number)
    {
        number = 0;
        return name.StartsWith(prefix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(prefix.Length), style, CultureInfo.InvariantCulture, out number)
            && number >= 0;
    }

    private Span<byte> RoomFor(StateBlocks blocks, long number, string name, long length)
    {
        Span<byte> room = blocks.Room(number, length);
        return room.Length == length && length > 0 ? room : throw Damaged($"'{Path}/{name}', {length} bytes long, has no place here.");
    }

    private bool Holds(string name) => Top.Held?.TryGetValue(name, out StateNode? node) == true && node.Children is not null;

    // Finds a record of the open section: held already, or in the stream, whose next bytes are then its content.
    private bool TryFind(string name, byte kind, out StateNode? node, out Header header)
    {
        Frame frame = Top;
        header = default;
        if (frame.Held?.TryGetValue(name, out node) == true && (node.Children is null) == (kind == StateFormat.Value))
        {
            return true;
        }

        node = null;
        while (TryHeader(out header))
        {
            if (header.Kind == kind && header.Name == name)
            {
                return true;
            }

            Hold(header);
        }

        return false;
    }

    private void CheckVersion(string name, int version, int newest)
    {
        if (version > newest)
        {
            throw Refused($"Saved state section '{Path}/{name}' is of version {version}; this VirtShell reads up to {newest}. Open it with a newer VirtShell.");
        }
    }
}
