using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Timers;

namespace VirtShell.Machine.Boot;

/// <summary>Has the CMOS tell of floppy drives, as a PC's setup program does: systems know their types from nowhere else.</summary>
internal static class FloppyCmos
{
    private const byte Types = 0x10;
    private const byte Equipment = 0x14;

    // The sum of what stands before it, high byte first.
    private const byte FirstSummed = 0x10;
    private const byte LastSummed = 0x2D;
    private const byte SumHigh = 0x2E;

    /// <summary>Writes types, equipment and checksum; a machine without floppy drives, or without a CMOS, stays as it is.</summary>
    public static void Write(Board board)
    {
        byte equipment = FloppyFormat.EquipmentBits(board.Configuration.Drives);
        if (equipment == 0 || board.Find<RtcCmos>() is null)
        {
            return;
        }

        Set(board.Bus, Types, FloppyFormat.CmosTypes(board.Configuration.Drives));
        Set(board.Bus, Equipment, (byte)(Get(board.Bus, Equipment) | equipment));
        int sum = 0;
        for (byte register = FirstSummed; register <= LastSummed; register++)
        {
            sum += Get(board.Bus, register);
        }

        Set(board.Bus, SumHigh, (byte)(sum >> 8));
        Set(board.Bus, SumHigh + 1, (byte)sum);
        board.Bus.WritePort(RtcCmos.IndexPort, 1, 0);
    }

    private static byte Get(IoBus bus, byte register)
    {
        bus.WritePort(RtcCmos.IndexPort, 1, register);
        return (byte)bus.ReadPort(RtcCmos.IndexPort + 1, 1);
    }

    private static void Set(IoBus bus, byte register, byte value)
    {
        bus.WritePort(RtcCmos.IndexPort, 1, register);
        bus.WritePort(RtcCmos.IndexPort + 1, 1, value);
    }
}
