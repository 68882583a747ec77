using System;
using VirtShell.State;

namespace VirtShell.Machine.Serial;

/// <summary>Saved state of the UART.</summary>
public sealed partial class Uart16550
{
    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Write("fifo", _fifo);
        writer.Write("fifo-head", _fifoHead);
        writer.Write("fifo-count", _fifoCount);
        writer.Write("input", _input.ToArray());
        writer.Write("sending-until", _sendingUntil);
        writer.Write("divisor", (uint)_divisor);
        writer.Write("registers", [_ier, _fcr, _lcr, _mcr, _lineErrors, _msr, _scratch]);
        writer.Write("transmit-pending", _transmitPending);
        writer.Write("timeout-pending", _timeoutPending);
        writer.Write("polled", _polled);
        writer.Write("listening", _listening);
        _transmitted.Save(writer, "transmitted");
        _received.Save(writer, "received");
        _timedOut.Save(writer, "timed-out");
    }

    public void Load(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        reader.ReadBytes("fifo", _fifo);
        _fifoHead = reader.ReadInt32("fifo-head") & (FifoSize - 1);
        _fifoCount = Math.Clamp(reader.ReadInt32("fifo-count"), 0, FifoSize);
        _input.Clear();
        foreach (byte value in reader.ReadBytes("input"))
        {
            _input.Enqueue(value);
        }

        _sendingUntil = reader.ReadInt64("sending-until");
        _divisor = reader.ReadUInt16("divisor", 1);
        byte[] registers = new byte[7];
        reader.ReadBytes("registers", registers);
        (_ier, _fcr, _lcr, _mcr) = (registers[0], registers[1], registers[2], registers[3]);
        (_lineErrors, _msr, _scratch) = (registers[4], registers[5], registers[6]);
        _transmitPending = reader.ReadBoolean("transmit-pending");
        _timeoutPending = reader.ReadBoolean("timeout-pending");
        _polled = reader.ReadBoolean("polled");
        _listening = reader.ReadBoolean("listening");
        _transmitted.Load(reader, "transmitted", _clock);
        _received.Load(reader, "received", _clock);
        _timedOut.Load(reader, "timed-out", _clock);
    }
}
