using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>Saving and restoring the processor.</summary>
public sealed unsafe partial class Vcpu
{
    public void Save(StateWriter writer) => throw new System.NotSupportedException();

    public void Load(StateReader reader) => throw new System.NotSupportedException();
}
