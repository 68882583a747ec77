using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Legacy;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class CoprocessorErrorTests
{
    [Fact]
    public void An_error_latches_irq_13_until_port_F0_is_written()
    {
        List<bool> line = [];
        IoBus bus = new();
        CoprocessorError device = new(bus, line.Add);
        device.SetError(true);
        device.SetError(true);
        Assert.Equal([true], line);
        bus.WritePort(CoprocessorError.ClearBusyPort, 1, 0);
        Assert.Equal([true, false], line);

        // The level alone does not latch again; the next rising edge does.
        device.SetError(false);
        device.SetError(true);
        Assert.Equal([true, false, true], line);
        device.Reset();
        Assert.Equal([true, false, true, false], line);
    }
}
