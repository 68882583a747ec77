using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace VirtShell.State;

/// <summary>
/// What a part shows its state to (<see cref="IStateful"/>): a tree of named sections that hold named values. Which visitor it is
/// makes the difference: <see cref="StateSaver"/> writes, <see cref="StateLoader"/> changes the fields,
/// <see cref="StateInspector"/> notes them for people and for comparison.
/// </summary>
/// <remarks>
/// Methods that take a field by reference give whether they have loaded a value into it. Where a visitor loads, a value outside of
/// its bounds is refused with a <see cref="StateFormatException"/>; a mask cuts it, <c>Clamped</c> moves it to the nearest bound.
/// </remarks>
public abstract class StateVisitor
{
    /// <summary>Whether fields are being changed to what was saved. Parts then make anew what follows from them.</summary>
    public abstract bool IsLoading { get; }

    /// <summary>Whether the open section is being loaded and was never saved: none of its values will be there.</summary>
    public virtual bool IsAbsent => false;

    /// <summary>Version of the open section; where one is loaded, the version as saved, 0 for an absent one.</summary>
    public abstract int Version { get; }

    /// <summary>Names of the open sections, each behind a '/', for messages.</summary>
    public abstract string Path { get; }

    /// <summary>Opens a nested section; dispose the result to close it. A section of a version above <paramref name="version"/> is not loaded but refused, and so is one that is required and was not saved.</summary>
    public StateScope Section(string name, int version = 1, bool isRequired = false)
    {
        Enter(name, version);
        if (isRequired && IsAbsent)
        {
            throw Refused($"Saved state has no section '{Path}'.");
        }

        return new StateScope(this);
    }

    /// <summary>A part of the part, in a section of its own.</summary>
    public void Part(string name, IStateful part, int version = 1, bool isRequired = false)
    {
        ArgumentNullException.ThrowIfNull(part);
        using (Section(name, version, isRequired))
        {
            part.Describe(this);
        }
    }

    /// <summary>
    /// Parts that come and go from version to version, each in a section of its own, in order. A part that has no section is left
    /// alone when loading, and a section that has no part is skipped, neither of which costs memory.
    /// </summary>
    /// <param name="parts">The parts, in the order in which they are saved.</param>
    /// <param name="nameOf">The name of each, unique among them.</param>
    /// <param name="last">How many of the first are loaded after all others, from the last of them to the first: those that the others reach while they load.</param>
    public virtual void Parts<T>(IReadOnlyList<T> parts, Func<T, string> nameOf, int last = 0)
        where T : IStateful
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(nameOf);
        foreach (T part in parts)
        {
            Part(nameOf(part), part);
        }
    }

    public bool Value(string name, ref bool value)
    {
        ulong raw = value ? 1UL : 0UL;
        if (!Number(name, ref raw))
        {
            return false;
        }

        value = CheckRange(name, raw, 1) != 0;
        return true;
    }

    public bool Value(string name, ref byte value, byte mask = byte.MaxValue)
    {
        ulong raw = value;
        if (!Number(name, ref raw))
        {
            return false;
        }

        value = (byte)(CheckRange(name, raw, byte.MaxValue) & mask);
        return true;
    }

    public bool Value(string name, ref ushort value, ushort mask = ushort.MaxValue)
    {
        ulong raw = value;
        if (!Number(name, ref raw))
        {
            return false;
        }

        value = (ushort)(CheckRange(name, raw, ushort.MaxValue) & mask);
        return true;
    }

    public bool Value(string name, ref uint value, uint mask = uint.MaxValue)
    {
        ulong raw = value;
        if (!Number(name, ref raw))
        {
            return false;
        }

        value = (uint)(CheckRange(name, raw, uint.MaxValue) & mask);
        return true;
    }

    public bool Value(string name, ref ulong value, ulong mask = ulong.MaxValue)
    {
        ulong raw = value;
        if (!Number(name, ref raw))
        {
            return false;
        }

        value = raw & mask;
        return true;
    }

    public bool Value(string name, ref int value, int min = int.MinValue, int max = int.MaxValue)
    {
        long wide = value;
        bool loaded = Value(name, ref wide, min, max);
        value = (int)wide;
        return loaded;
    }

    public bool Value(string name, ref long value, long min = long.MinValue, long max = long.MaxValue)
    {
        ulong raw = (ulong)value;
        if (!Number(name, ref raw))
        {
            return false;
        }

        if ((long)raw < min || (long)raw > max)
        {
            throw Damaged($"'{Path}/{name}' is {(long)raw}, outside {min} to {max}.");
        }

        value = (long)raw;
        return true;
    }

    /// <summary>An integer that is moved to the nearest bound where what was saved lies outside.</summary>
    public bool Clamped(string name, ref int value, int min, int max)
    {
        long wide = value;
        bool loaded = Value(name, ref wide, int.MinValue, int.MaxValue);
        value = loaded ? (int)Math.Clamp(wide, min, max) : value;
        return loaded;
    }

    /// <inheritdoc cref="Clamped(string, ref int, int, int)"/>
    public bool Clamped(string name, ref long value, long min, long max)
    {
        bool loaded = Value(name, ref value);
        value = loaded ? Math.Clamp(value, min, max) : value;
        return loaded;
    }

    /// <summary>Text of at most <paramref name="maxBytes"/> bytes of UTF-8; null is saved as nothing.</summary>
    public bool Text(string name, ref string? value, int maxBytes)
    {
        byte[] bytes = IsLoading ? [] : Encoding.UTF8.GetBytes(value ?? string.Empty);
        if (!Bytes(name, ref bytes, maxBytes))
        {
            return false;
        }

        value = bytes.Length == 0 ? null : Encoding.UTF8.GetString(bytes);
        return true;
    }

    // For properties, which cannot be passed by reference: each gives what was loaded, or else what it was given.

    public bool Value(string name, bool value)
    {
        Value(name, ref value);
        return value;
    }

    public byte Value(string name, byte value)
    {
        Value(name, ref value);
        return value;
    }

    public ushort Value(string name, ushort value)
    {
        Value(name, ref value);
        return value;
    }

    public uint Value(string name, uint value)
    {
        Value(name, ref value);
        return value;
    }

    public int Value(string name, int value)
    {
        Value(name, ref value);
        return value;
    }

    public ulong Value(string name, ulong value)
    {
        Value(name, ref value);
        return value;
    }

    public long Value(string name, long value)
    {
        Value(name, ref value);
        return value;
    }

    /// <summary>Numbers or bytes of a fixed count, as they lie in memory.</summary>
    public bool Array<T>(string name, Span<T> values)
        where T : unmanaged => Fixed(name, MemoryMarshal.AsBytes(values));

    /// <summary>Bytes of any count up to <paramref name="maxLength"/>.</summary>
    public abstract bool Bytes(string name, ref byte[] value, int maxLength);

    /// <summary>Bytes that wait in a queue, <paramref name="maxCount"/> at most.</summary>
    public bool Queue(string name, Queue<byte> queue, int maxCount)
    {
        ArgumentNullException.ThrowIfNull(queue);
        byte[] bytes = IsLoading ? [] : queue.ToArray();
        if (!Bytes(name, ref bytes, maxCount))
        {
            return false;
        }

        queue.Clear();
        foreach (byte value in bytes)
        {
            queue.Enqueue(value);
        }

        return true;
    }

    /// <summary>Content of any size, in blocks whose names are <paramref name="prefix"/> and their number.</summary>
    public abstract void Blocks(string prefix, StateBlocks blocks, bool hexadecimal = false);

    /// <summary>What to throw where what was loaded makes no sense; <paramref name="what"/> is a sentence.</summary>
    public virtual StateFormatException Damaged(string what) => new("Saved state is damaged: " + what);

    /// <summary>What to throw where what was loaded is sound but not of this machine; <paramref name="what"/> are whole sentences.</summary>
    public virtual StateFormatException Refused(string what) => new(what);

    internal abstract void Enter(string name, int version);

    internal abstract void Leave();

    internal abstract bool Number(string name, ref ulong value);

    internal abstract bool Fixed(string name, Span<byte> bytes);

    private ulong CheckRange(string name, ulong value, ulong largest) =>
        value <= largest ? value : throw Damaged($"'{Path}/{name}' is {value}, above {largest}.");
}
