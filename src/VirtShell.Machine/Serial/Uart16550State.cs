using System;
using VirtShell.State;

namespace VirtShell.Machine.Serial;

/// <summary>The UART as state.</summary>
internal sealed partial class Uart16550
{
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Array("fifo", _fifo.AsSpan());
        visitor.Value("fifo-head", ref _fifoHead);
        _fifoHead &= FifoSize - 1;
        visitor.Clamped("fifo-count", ref _fifoCount, 0, FifoSize);
        visitor.Queue("input", _input, int.MaxValue);
        visitor.Value("sending-until", ref _sendingUntil);
        visitor.Value("divisor", ref _divisor);
        byte[] registers = [_ier, _fcr, _lcr, _mcr, _lineErrors, _msr, _scratch];
        visitor.Array("registers", registers.AsSpan());
        (_ier, _fcr, _lcr, _mcr) = (registers[0], registers[1], registers[2], registers[3]);
        (_lineErrors, _msr, _scratch) = (registers[4], registers[5], registers[6]);
        visitor.Value("transmit-pending", ref _transmitPending);
        visitor.Value("timeout-pending", ref _timeoutPending);
        visitor.Value("polled", ref _polled);
        visitor.Value("listening", ref _listening);
        _transmitted.Describe(visitor, "transmitted", _clock);
        _received.Describe(visitor, "received", _clock);
        _timedOut.Describe(visitor, "timed-out", _clock);
    }
}
