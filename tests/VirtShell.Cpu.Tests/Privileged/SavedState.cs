using System.IO;
using VirtShell.State;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>A processor's state as bytes.</summary>
internal static class SavedState
{
    public static byte[] Of(Vcpu processor)
    {
        using MemoryStream stream = new();
        processor.Save(new StateWriter(stream));
        return stream.ToArray();
    }

    public static void Load(Vcpu processor, byte[] state) => processor.Load(StateReader.Open(new MemoryStream(state)));
}
