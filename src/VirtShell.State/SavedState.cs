using System.IO;

namespace VirtShell.State;

/// <summary>Saves and loads any part by its description.</summary>
public static class SavedState
{
    /// <summary>Writes the state of a part to a stream, which need not be seekable and may go on with something else.</summary>
    public static void Save(this IStateful part, Stream output)
    {
        StateSaver saver = new(output);
        part.Describe(saver);
        saver.Complete();
    }

    /// <summary>The state of a part as bytes.</summary>
    public static byte[] Save(this IStateful part)
    {
        using MemoryStream stream = new();
        part.Save(stream);
        return stream.ToArray();
    }

    /// <summary>Restores what <see cref="Save(IStateful, Stream)"/> wrote, from a stream that need not be seekable; reads no further than the state goes.</summary>
    /// <exception cref="StateFormatException">The state is damaged or of something else; the part is then fit for a reset only.</exception>
    public static void Load(this IStateful part, Stream input)
    {
        StateLoader loader = new(input);
        part.Describe(loader);
        loader.Complete();
    }

    /// <summary>Restores what <see cref="Save(IStateful)"/> gave.</summary>
    /// <inheritdoc cref="Load(IStateful, Stream)" path="/exception"/>
    public static void Load(this IStateful part, byte[] state)
    {
        using MemoryStream stream = new(state, writable: false);
        part.Load(stream);
    }
}
