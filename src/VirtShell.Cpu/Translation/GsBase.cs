using System;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// How emitted code finds the processor state: the GS base of the thread that runs it. By WRGSBASE each time it is entered, where
/// the host's kernel keeps what user code sets so (it says so in AT_HWCAP2; Linux 5.9 and later on bare hardware and most
/// hypervisors); otherwise by arch_prctl(2), once for as long as a thread stays with one processor.
/// </summary>
internal static unsafe partial class GsBase
{
    private const nuint AuxHardwareCapabilities2 = 26;
    private const nuint FsGsBaseUsable = 2;
    private const nint SystemCallArchPrctl = 158;
    private const nint ArchSetGs = 0x1001;

    [ThreadStatic]
    private static nint t_current;

    /// <summary>Emitted code may set its base itself.</summary>
    public static bool IsInstruction { get; } =
        OperatingSystem.IsLinux() && (GetAuxiliaryValue(AuxHardwareCapabilities2) & FsGsBaseUsable) != 0;

    /// <summary>Makes <paramref name="state"/> the base of the calling thread's GS. False: the host refuses.</summary>
    public static bool Set(nint state)
    {
        if (t_current == state)
        {
            return true;
        }

        if (SystemCall(SystemCallArchPrctl, ArchSetGs, state) != 0)
        {
            return false;
        }

        t_current = state;
        return true;
    }

    [LibraryImport("libc", EntryPoint = "getauxval")]
    private static partial nuint GetAuxiliaryValue(nuint type);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint code, nint address);
}
