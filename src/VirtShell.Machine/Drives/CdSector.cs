using System;

namespace VirtShell.Machine.Drives;

/// <summary>A sector of a data track as it is on a CD (ECMA-130, 14): READ CD asks for its fields by bits of one byte.</summary>
internal static class CdSector
{
    /// <summary>Fields of READ CD (MMC-3, 6.15): user data alone, as READ gives.</summary>
    public const byte UserData = 0x10;

    private const byte Sync = 0x80;
    private const byte Header = 0x20;
    private const byte Correction = 0x08;
    private const int SyncBytes = 12;
    private const int HeaderBytes = 4;
    private const int CorrectionBytes = 288;
    private const byte Mode1 = 1;
    private const int FramesPerSecond = 75;
    private const int SecondsPerMinute = 60;

    // The first sector stands two seconds behind the start of the disc.
    private const int Pregap = 150;

    /// <summary>Bytes of a sector with these fields; 0 where none is asked for. A sector of mode 1 has no subheader.</summary>
    public static int SizeOf(byte fields) =>
        ((fields & Sync) != 0 ? SyncBytes : 0) + ((fields & Header) != 0 ? HeaderBytes : 0) + ((fields & UserData) != 0 ? AtapiCd.SectorBytes : 0) + ((fields & Correction) != 0 ? CorrectionBytes : 0);

    /// <summary>Writes the fields of a sector; those for correction are zeros.</summary>
    public static void Write(Span<byte> destination, byte fields, long sector, ReadOnlySpan<byte> data)
    {
        destination.Clear();
        if ((fields & Sync) != 0)
        {
            destination[1..(SyncBytes - 1)].Fill(0xFF);
            destination = destination[SyncBytes..];
        }

        if ((fields & Header) != 0)
        {
            (byte minute, byte second, byte frame) = MinutesOf(sector);
            (destination[0], destination[1], destination[2], destination[3]) = (Bcd(minute), Bcd(second), Bcd(frame), Mode1);
            destination = destination[HeaderBytes..];
        }

        if ((fields & UserData) != 0)
        {
            data.CopyTo(destination);
        }
    }

    /// <summary>A sector's place in minutes, seconds and frames. A disc of more than 256 minutes wraps, as the fields do.</summary>
    public static (byte Minute, byte Second, byte Frame) MinutesOf(long sector)
    {
        long frames = sector + Pregap;
        return ((byte)(frames / (FramesPerSecond * SecondsPerMinute)), (byte)(frames / FramesPerSecond % SecondsPerMinute), (byte)(frames % FramesPerSecond));
    }

    /// <summary>The sector at a place; below 0 in the pregap.</summary>
    public static long NumberOf(int minute, int second, int frame) => (((minute * SecondsPerMinute) + second) * FramesPerSecond) + frame - Pregap;

    private static byte Bcd(int value) => (byte)((value / 10 % 10 << 4) | (value % 10));
}
