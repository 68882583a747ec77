namespace VirtShell.Settings;

/// <summary>Where people give settings. They share names, meanings and bounds; what differs on purpose is in a setting's row.</summary>
public enum FrontEnd
{
    /// <summary>YAML suites: keys.</summary>
    Suites,

    /// <summary>The console program: options.</summary>
    Console,

    /// <summary>PowerShell: parameters.</summary>
    Cmdlets,
}
