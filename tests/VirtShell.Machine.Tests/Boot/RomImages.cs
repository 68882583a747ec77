using System;
using System.Linq;

namespace VirtShell.Machine.Tests.Boot;

/// <summary>Firmware images of a few bytes of code.</summary>
internal static class RomImages
{
    private const int ResetVector = 0xFFF0;

    /// <summary>Code at the start of the last 64 KiB, entered in real mode at F000:0000; what else there is reads as the low byte of its offset.</summary>
    public static byte[] Of(ReadOnlySpan<byte> code, int length = 64 << 10)
    {
        byte[] image = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        int last = length - (64 << 10);
        code.CopyTo(image.AsSpan(last));

        // jmp F000:0000
        ((ReadOnlySpan<byte>)[0xEA, 0x00, 0x00, 0x00, 0xF0]).CopyTo(image.AsSpan(last + ResetVector));
        return image;
    }

    /// <summary>Does nothing for ever.</summary>
    public static byte[] Spinning() => Of([0xEB, 0xFE]);
}
