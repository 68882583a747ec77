using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>INT 14h and INT 17h: serial and parallel ports that the data area names.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosPorts(BiosCpu c, BiosWait wait)
{
    private const int MostPorts = 4;
    private const byte TimedOut = 0x80;
    private const byte DataReady = 0x01;

    /// <summary>INT 14h; false where it has to wait.</summary>
    public bool CallSerial()
    {
        ushort port = c.Dx < MostPorts ? c.DataWord(Bda.SerialPorts + (2 * c.Dx)) : (ushort)0;
        if (port == 0)
        {
            return true;
        }

        switch (c.Ah)
        {
            case 0x00:
                // Bits 7 to 5: 110 to 9600 baud.
                System.ReadOnlySpan<ushort> divisors = [1047, 768, 384, 192, 96, 48, 24, 12];
                Initialize(port, divisors[c.Al >> 5], (byte)(c.Al & 0x1F));
                TellStatus(port);
                return true;
            case 0x01:
                c.Out(port, c.Al);
                c.Ah = (byte)(c.In(port + 5) & 0x7F);
                return true;
            case 0x02:
                return Receive(port);
            case 0x03:
                TellStatus(port);
                return true;
            case 0x04:
                System.ReadOnlySpan<ushort> rates = [1047, 768, 384, 192, 96, 48, 24, 12, 6];
                if (c.Cl < rates.Length)
                {
                    int parity = c.Bh switch { 1 => 0x08, 2 => 0x18, 3 => 0x28, 4 => 0x38, _ => 0 };
                    Initialize(port, rates[c.Cl], (byte)(parity | (c.Bl != 0 ? 4 : 0) | (c.Ch & 3)));
                }

                TellStatus(port);
                return true;
            case 0x05:
                if (c.Al == 1)
                {
                    c.Out(port + 4, c.Bl);
                }

                c.Bl = c.In(port + 4);
                TellStatus(port);
                return true;
            default:
                return true;
        }
    }

    /// <summary>INT 17h.</summary>
    public void CallPrinter()
    {
        const int MostPrinters = 3;
        ushort port = c.Dx < MostPrinters ? c.DataWord(Bda.ParallelPorts + (2 * c.Dx)) : (ushort)0;
        if (port == 0)
        {
            c.Ah = 0x01;
            return;
        }

        const int Control = 2;
        switch (c.Ah)
        {
            case 0x00:
                c.Out(port, c.Al);
                byte control = c.In(port + Control);
                c.Out(port + Control, control | 0x01);
                c.Out(port + Control, control & ~0x01);
                break;
            case 0x01:
                c.Out(port + Control, 0x08);
                c.Out(port + Control, 0x0C);
                break;
            default:
                break;
        }

        // Acknowledge and error come inverted.
        c.Ah = (byte)((c.In(port + 1) & 0xF8) ^ 0x48);
    }

    private void Initialize(ushort port, ushort divisor, byte format)
    {
        c.Out(port + 3, 0x80 | format);
        c.Out(port, divisor);
        c.Out(port + 1, divisor >> 8);
        c.Out(port + 3, format);
        c.Out(port + 1, 0);
    }

    private bool Receive(ushort port)
    {
        byte status = c.In(port + 5);
        if ((status & DataReady) == 0)
        {
            // The timeout counts about a second each.
            long seconds = c.Data(Bda.SerialTimeouts + c.Dx);
            if (wait.For(seconds * 1_000_000) == WaitResult.Waits)
            {
                return false;
            }

            c.Ah = TimedOut;
            return true;
        }

        wait.End();
        c.Al = c.In(port);
        c.Ah = (byte)(status & 0x1E);
        return true;
    }

    private void TellStatus(ushort port)
    {
        c.Ah = c.In(port + 5);
        c.Al = c.In(port + 6);
    }
}
