using VirtShell.Cpu.Execution;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>Debug registers (SDM Vol. 3B chapter 18).</summary>
public sealed unsafe partial class Vcpu
{
    private const ulong Dr6Detected = 1 << 13;
    private const ulong Dr7Enables = 0xFF;
    private const ulong Dr7GeneralDetect = 1 << 13;
    private const int BreakOnExecute = 0;
    private const int BreakOnWrite = 1;
    private const int BreakOnPort = 2;
    private const int BreakOnAccess = 3;

    /// <summary>DR7 arms an instruction breakpoint.</summary>
    [NotState("Follows from DR7 and CR4.")]
    internal bool InstructionBreakpointsArmed { get; set; }

    [NotState("Follows from DR7 and CR4.")]
    private bool _dataBreakpointsArmed;

    [NotState("Follows from DR7 and CR4.")]
    private bool _portBreakpointsArmed;

    /// <summary>Call after a change of DR7 or CR4.DE.</summary>
    internal void UpdateBreakpoints()
    {
        bool code = false;
        bool data = false;
        bool port = false;
        ulong dr7 = _s->Dr[7];
        for (int i = 0; i < 4; i++)
        {
            if ((dr7 & (3UL << (i * 2))) == 0)
            {
                continue;
            }

            int kind = (int)(dr7 >> (16 + (i * 4))) & 3;
            code |= kind == BreakOnExecute;
            data |= kind is BreakOnWrite or BreakOnAccess;
            port |= kind == BreakOnPort && (_s->Cr4 & ControlBits.Cr4De) != 0;
        }

        InstructionBreakpointsArmed = code;
        _dataBreakpointsArmed = data;
        _portBreakpointsArmed = port;
        UpdateMode();
    }

    /// <summary>Notes a data access while every access takes the slow path, for data breakpoints.</summary>
    internal void NoteDataAccess(ulong linear, int size, bool write)
    {
        if (_dataBreakpointsArmed)
        {
            ulong hit = Match(linear, size, write, port: false);
            if (hit != 0)
            {
                LatchDebugTrap(hit);
            }
        }
    }

    /// <summary>Notes an access to an I/O port, for I/O breakpoints (CR4.DE).</summary>
    internal void NotePortAccess(uint port, int size)
    {
        if (_portBreakpointsArmed)
        {
            ulong hit = Match(port, size, write: false, port: true);
            if (hit != 0)
            {
                LatchDebugTrap(hit);
            }
        }
    }

    /// <summary>MOV to or from a debug register: #UD, #GP(0) or the general-detect #DB.</summary>
    internal int CheckDebugRegister(int number)
    {
        CpuState* s = _s;
        if (number is 4 or 5)
        {
            if ((s->Cr4 & ControlBits.Cr4De) != 0)
            {
                Fault.InvalidOpcode(s);
            }

            number += 2;
        }

        if (number > 7)
        {
            Fault.InvalidOpcode(s);
        }

        CheckSupervisor();
        if ((s->Dr[7] & Dr7GeneralDetect) != 0)
        {
            NoteDebugException(Dr6Detected);
            s->Dr[7] &= ~Dr7GeneralDetect;
            ThrowFault(Vector.Debug, 0, false);
        }

        return number;
    }

    internal void WriteDebugRegister(int number, ulong value)
    {
        CpuState* s = _s;
        if (number >= 6 && value > uint.MaxValue)
        {
            Fault.GeneralProtection(s);
        }

        s->Dr[number] = number switch
        {
            6 => (value & 0xE00F) | 0xFFFF_0FF0,
            7 => (value & 0xFFFF_23FF) | 0x400,
            _ => value,
        };
        UpdateBreakpoints();
    }

    private void CheckInstructionBreakpoints()
    {
        CpuState* s = _s;
        if ((CurrentFlags() & Flags.Resume) != 0 || s->DebugShadowAt == s->RunEnd - s->Budget || IsRepeating)
        {
            return;
        }

        ulong linear = (s->Cs.Base + s->Rip) & s->LinearMask;
        ulong hit = 0;
        for (int i = 0; i < 4; i++)
        {
            bool enabled = (s->Dr[7] & (3UL << (i * 2))) != 0;
            if (enabled && ((s->Dr[7] >> (16 + (i * 4))) & 3) == BreakOnExecute && s->Dr[i] == linear)
            {
                hit |= 1UL << i;
            }
        }

        if (hit != 0)
        {
            NoteDebugException(hit);
            _faultIsBreakpoint = true;
            ThrowFault(Vector.Debug, 0, false);
        }
    }

    private ulong Match(ulong address, int size, bool write, bool port)
    {
        ulong dr7 = _s->Dr[7];
        ulong hit = 0;
        for (int i = 0; i < 4; i++)
        {
            int kind = (int)(dr7 >> (16 + (i * 4))) & 3;
            bool fits = port ? kind == BreakOnPort : kind == BreakOnAccess || (kind == BreakOnWrite && write);
            if (!fits || (dr7 & (3UL << (i * 2))) == 0)
            {
                continue;
            }

            // LEN: 1, 2, 8 or 4 bytes; the low bits of the address are ignored accordingly.
            ulong length = ((dr7 >> (18 + (i * 4))) & 3) switch { 0 => 1, 1 => 2, 2 => 8, _ => 4 };
            ulong start = _s->Dr[i] & ~(length - 1);
            if (address < start + length && start < address + (ulong)size)
            {
                hit |= 1UL << i;
            }
        }

        return hit;
    }

    /// <summary>Decides whether data accesses must take the slow path: alignment checks or data breakpoints in force.</summary>
    private void UpdateSlowAccess()
    {
        CpuState* s = _s;
        Mmu.ForceSlow = _dataBreakpointsArmed
            || (s->Cpl == 3 && (s->FlagsRest & Flags.AlignmentCheck) != 0 && (s->Cr0 & ControlBits.Cr0AlignmentMask) != 0);
    }
}
