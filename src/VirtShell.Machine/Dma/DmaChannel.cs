using System;
using VirtShell.State;

namespace VirtShell.Machine.Dma;

/// <summary>What stands behind the DMA channels of a board.</summary>
internal interface IDmaController
{
    /// <summary>Whether a channel would get the bus.</summary>
    bool IsOpen(int channel);

    /// <summary>Sets the level of a channel's DREQ.</summary>
    void SetRequest(int channel, bool asserted);

    /// <inheritdoc cref="DmaChannel.Read"/>
    int Read(int channel, Span<byte> destination, out bool isLast);

    /// <inheritdoc cref="DmaChannel.Write"/>
    int Write(int channel, ReadOnlySpan<byte> source, out bool isLast);
}

/// <summary>
/// A device's end of a DMA channel. It belongs to the board: a device has it whether there is a controller or not, and
/// without one nothing is ever granted.
/// </summary>
internal sealed class DmaChannel
{
    public const int Count = 8;

    public DmaChannel(int number) => Number = number;

    /// <summary>The controller, once it is built.</summary>
    [NotState("Wiring.")]
    public IDmaController? Controller { get; set; }

    /// <summary>0 to 3 move bytes, 5 to 7 words; 4 is the cascade.</summary>
    public int Number { get; }

    /// <summary>Whether the guest has the channel open, so that it would move data now.</summary>
    public bool IsOpen => Controller is { } controller && controller.IsOpen(Number);

    /// <summary>Sets the level of DREQ, which the guest sees in the status register.</summary>
    public void SetRequest(bool asserted) => Controller?.SetRequest(Number, asserted);

    /// <summary>
    /// Moves data from memory to the device, as far as the channel is open, and at most to the end of the guest's count: 128 KiB.
    /// Where the guest's mode moves nothing that way, the count goes on all the same, and all ones come.
    /// </summary>
    /// <param name="destination">Where to; its length is the limit.</param>
    /// <param name="isLast">Whether the count has come to its end (TC).</param>
    /// <returns>Bytes moved; 0 where the channel is closed.</returns>
    public int Read(Span<byte> destination, out bool isLast)
    {
        isLast = false;
        return Controller?.Read(Number, destination, out isLast) ?? 0;
    }

    /// <summary>Moves data from the device to memory, otherwise as <see cref="Read"/>; where the guest's mode moves nothing that way, nothing is written.</summary>
    /// <param name="source">Where from; its length is the limit.</param>
    /// <param name="isLast">Whether the count has come to its end (TC).</param>
    /// <returns>Bytes moved; 0 where the channel is closed.</returns>
    public int Write(ReadOnlySpan<byte> source, out bool isLast)
    {
        isLast = false;
        return Controller?.Write(Number, source, out isLast) ?? 0;
    }
}
