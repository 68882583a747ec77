namespace VirtShell.State;

/// <summary>Closes the section it came from when disposed.</summary>
public readonly ref struct StateScope
{
    private readonly StateVisitor _visitor;

    internal StateScope(StateVisitor visitor) => _visitor = visitor;

    public void Dispose() => _visitor.Leave();
}
