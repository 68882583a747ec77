namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Enters every x87 and state-saving handler.</summary>
internal static class X87Handlers
{
    public static void Register()
    {
        ArithmeticHandlers.Register();
        LoadHandlers.Register();
        StoreHandlers.Register();
        CompareHandlers.Register();
        UnaryHandlers.Register();
        ControlHandlers.Register();
        EnvironmentHandlers.Register();
        FxsaveHandlers.Register();
        XsaveHandlers.Register();
    }
}
