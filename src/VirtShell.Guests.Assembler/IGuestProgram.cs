namespace VirtShell.Guests.Assembler;

/// <summary>One guest: what it is called, what it is for, and the code that it consists of.</summary>
internal interface IGuestProgram
{
    string Name { get; }

    string Description { get; }

    /// <summary>Emits the whole guest, beginning with <see cref="GuestCode.Begin"/>. Called once a pass; must emit the same instructions each time.</summary>
    void Emit(GuestCode code);
}
