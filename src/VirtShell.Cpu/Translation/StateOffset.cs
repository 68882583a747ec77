using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Translation;

/// <summary>Byte offsets of <see cref="CpuState"/>'s fields, as emitted code names them.</summary>
internal static class StateOffset
{
    public static readonly int Rip = Of(nameof(CpuState.Rip));
    public static readonly int RipBase = Of(nameof(CpuState.RipBase));
    public static readonly int Budget = Of(nameof(CpuState.Budget));
    public static readonly int StopBelow = Of(nameof(CpuState.StopBelow));
    public static readonly int Tlb = Of(nameof(CpuState.Tlb));
    public static readonly int FlagThunk = Of(nameof(CpuState.FlagThunk));
    public static readonly int FlagPartial = Of(nameof(CpuState.FlagPartial));
    public static readonly int SettleTable = Of(nameof(CpuState.SettleTable));
    public static readonly int FlagResult = Of(nameof(CpuState.FlagResult));
    public static readonly int FlagAux = Of(nameof(CpuState.FlagAux));
    public static readonly int TimestampFollows = Of(nameof(CpuState.TimestampFollows));
    public static readonly int TimestampBase = Of(nameof(CpuState.TimestampBase));
    public static readonly int TscOffset = Of(nameof(CpuState.TscOffset));
    public static readonly int TscAux = Of(nameof(CpuState.MsrTscAux));
    public static readonly int Cr2 = Of(nameof(CpuState.Cr2));
    public static readonly int Cr4 = Of(nameof(CpuState.Cr4));
    public static readonly int ExitId = Of(nameof(CpuState.ExitId));
    public static readonly int FlagImage = Of(nameof(CpuState.FlagImage));
    public static readonly int JumpTable = Of(nameof(CpuState.JumpTable));
    public static readonly int OtherJumpTable = Of(nameof(CpuState.OtherJumpTable));
    public static readonly int UserTlb = Of(nameof(CpuState.UserTlb));
    public static readonly int SystemTlb = Of(nameof(CpuState.SystemTlb));
    public static readonly int AcTlb = Of(nameof(CpuState.AcTlb));
    public static readonly int Efer = Of(nameof(CpuState.Efer));
    public static readonly int Star = Of(nameof(CpuState.MsrStar));
    public static readonly int Lstar = Of(nameof(CpuState.MsrLstar));
    public static readonly int Fmask = Of(nameof(CpuState.MsrFmask));
    public static readonly int Cpl = Of(nameof(CpuState.Cpl));
    public static readonly int ExecKey = Of(nameof(CpuState.ExecKey));
    public static readonly int Pending = Of(nameof(CpuState.Pending));
    public static readonly int RunEnd = Of(nameof(CpuState.RunEnd));
    public static readonly int RepeatAt = Of(nameof(CpuState.RepeatAt));
    public static readonly int ShadowAt = Of(nameof(CpuState.ShadowAt));
    public static readonly int KernelGsBase = Of(nameof(CpuState.MsrKernelGsBase));
    public static readonly int NativeStack = Of(nameof(CpuState.NativeStack));
    public static readonly int ReturnStack = Of(nameof(CpuState.ReturnStack));
    public static readonly int ParkedStack = Of(nameof(CpuState.ParkedStack));
    public static readonly int Parked = Of(nameof(CpuState.Parked));
    public static readonly int Parked2 = Of(nameof(CpuState.Parked2));
    public static readonly int NativeMxcsr = Of(nameof(CpuState.NativeMxcsr));
    public static readonly int VectorsLoaded = Of(nameof(CpuState.VectorsLoaded));
    public static readonly int HostMxcsr = Of(nameof(CpuState.HostMxcsr));
    public static readonly int FlagsRest = Of(nameof(CpuState.FlagsRest));
    public static readonly int TlbSitesList = Of(nameof(CpuState.TlbSitesList));
    public static readonly int TlbSitesUsed = Of(nameof(CpuState.TlbSitesUsed));
    private static readonly int s_sites = Of(nameof(CpuState.TlbSites));
    private static readonly int s_siteParked = Of(nameof(CpuState.TlbSiteParked));
    private static readonly int s_windowSlots = Of(nameof(CpuState.Windows));
    private static readonly int s_slots = Of(nameof(CpuState.FlagSlots));
    private static readonly int s_segments = Of(nameof(CpuState.Es));
    private static readonly int s_segmentSize = Marshal.SizeOf<SegmentRegister>();
    private static readonly int s_readEnd = (int)Marshal.OffsetOf<SegmentRegister>(nameof(SegmentRegister.ReadEnd));
    private static readonly int s_writeEnd = (int)Marshal.OffsetOf<SegmentRegister>(nameof(SegmentRegister.WriteEnd));
    private static readonly int s_selector = (int)Marshal.OffsetOf<SegmentRegister>(nameof(SegmentRegister.Selector));
    private static readonly int s_attributes = (int)Marshal.OffsetOf<SegmentRegister>(nameof(SegmentRegister.Attributes));
    private static readonly int s_limit = (int)Marshal.OffsetOf<SegmentRegister>(nameof(SegmentRegister.Limit));

    public static int Gpr(int guest) =>
        guest is >= 0 and < 16 ? guest * 8 : throw new System.ArgumentOutOfRangeException(nameof(guest), guest, "No general register has this number.");

    public static int Vector(int number) => CpuState.VectorOffset + (number * 32);

    public static int Slot(int number) => s_slots + (number * 8);

    public static int Window(int number) => s_windowSlots + (number * 8);

    public static int TlbSite(int number) => s_sites + (number * Memory.TlbSites.Bytes);

    public static int TlbSiteParked(int number) => s_siteParked + (number * 8);

    public static int SegmentBase(int index) => s_segments + (index * s_segmentSize);

    public static int SegmentReadEnd(int index) => SegmentBase(index) + s_readEnd;

    public static int SegmentWriteEnd(int index) => SegmentBase(index) + s_writeEnd;

    public static int SegmentLimit(int index) => SegmentBase(index) + s_limit;

    public static int SegmentSelector(int index) => SegmentBase(index) + s_selector;

    public static int SegmentAttributes(int index) => SegmentBase(index) + s_attributes;

    private static int Of(string field) => (int)Marshal.OffsetOf<CpuState>(field);
}
