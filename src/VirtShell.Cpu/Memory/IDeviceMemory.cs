using System;

namespace VirtShell.Cpu.Memory;

/// <summary>Memory that belongs to a device and not to the machine's RAM, such as a display's: what transfers of other devices reach where the pages are not mapped.</summary>
public interface IDeviceMemory
{
    /// <summary>Reads bytes, at most a page, from an offset in the device's range.</summary>
    void Read(ulong offset, Span<byte> destination);

    /// <summary>Writes bytes, at most a page, at an offset in the device's range.</summary>
    void Write(ulong offset, ReadOnlySpan<byte> source);
}
