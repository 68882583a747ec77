using VirtShell.State;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>A processor's state as bytes.</summary>
internal static class SavedState
{
    public static byte[] Of(Vcpu processor) => processor.Save();

    public static void Load(Vcpu processor, byte[] state) => State.SavedState.Load(processor, state);
}
