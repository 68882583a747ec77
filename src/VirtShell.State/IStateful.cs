namespace VirtShell.State;

/// <summary>
/// A part with state. It describes its state once, and visitors do the rest: save it, load it, tell it to people, compare it.
/// </summary>
public interface IStateful
{
    /// <summary>
    /// Shows every field of the state to <paramref name="visitor"/>, by a name that is unique in the part and never changed once
    /// released. A visitor that loads changes the fields; what was not saved keeps the value that it has, which is that of a
    /// part just reset.
    /// </summary>
    /// <exception cref="StateFormatException">What is loaded is damaged; the part is then fit for a reset only.</exception>
    void Describe(StateVisitor visitor);
}
