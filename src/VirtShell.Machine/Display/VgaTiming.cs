using System;

namespace VirtShell.Machine.Display;

/// <summary>Where the beam is at a guest time, from what the CRT controller was given. Times are nanoseconds.</summary>
internal readonly struct VgaTiming
{
    // Characters of a line and lines of a frame where the registers say nothing that a monitor could show.
    private const int LeastCharacters = 8;
    private const int LeastLines = 32;
    private const long Picoseconds = 1000;

    // Of the crystals of a VGA: 25.175 and 28.322 MHz.
    private const long PicosecondsPerSlowDot = 39_722;
    private const long PicosecondsPerFastDot = 35_308;

    private readonly long _line;
    private readonly int _lines;
    private readonly int _characters;
    private readonly int _shownCharacters;
    private readonly int _shownLines;
    private readonly int _retraceStart;
    private readonly int _retraceLines;

    public VgaTiming(VgaRegisters registers)
    {
        ReadOnlySpan<byte> crt = registers.Crt;
        ReadOnlySpan<byte> sequencer = registers.Sequencer;
        int dots = (sequencer[1] & 1) != 0 ? 8 : 9;
        long dot = ((registers.Misc >> 2) & 3) == 1 ? PicosecondsPerFastDot : PicosecondsPerSlowDot;
        dot <<= (sequencer[1] >> 3) & 1;
        int overflow = crt[7];
        _characters = Math.Max(crt[0] + 5, LeastCharacters);
        _lines = Math.Max((crt[6] | ((overflow & 1) << 8) | ((overflow & 0x20) << 4)) + 2, LeastLines);
        _shownCharacters = crt[1] + 1;
        _shownLines = ShownLines(crt);
        _retraceStart = crt[0x10] | ((overflow & 4) << 6) | ((overflow & 0x80) << 2);

        // The end is compared in its four low bits, behind the first line.
        _retraceLines = ((((crt[0x11] & 0xF) - _retraceStart) - 1) & 0xF) + 1;

        _line = Math.Max(_characters * dots * dot / Picoseconds, 1);
        Frame = _line * _lines;
    }

    /// <summary>A frame, in nanoseconds.</summary>
    public long Frame { get; }

    /// <summary>The last line that is shown, and one.</summary>
    public static int ShownLines(ReadOnlySpan<byte> crt) => (crt[0x12] | ((crt[7] & 2) << 7) | ((crt[7] & 0x40) << 3)) + 1;

    /// <summary>Input status 1: bit 0 while nothing is shown, bit 3 in vertical retrace.</summary>
    public byte StatusAt(long time)
    {
        long within = time % Frame;
        int line = (int)(within / _line);
        int character = (int)(within % _line * _characters / _line);
        bool isRetrace = ((line - _retraceStart + _lines) % _lines) < _retraceLines;
        bool isDark = line >= _shownLines || character >= _shownCharacters;
        return (byte)((isDark || isRetrace ? 1 : 0) | (isRetrace ? 8 : 0));
    }
}
