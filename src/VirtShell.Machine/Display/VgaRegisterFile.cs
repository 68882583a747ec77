using VirtShell.Machine.Bus;

namespace VirtShell.Machine.Display;

/// <summary>
/// The display's registers in memory, BAR 2 (QEMU, docs/specs/standard-vga): 400h–41Fh are the ports 3C0h–3DFh, 500h–515h the
/// dispi registers by their numbers, 600h–607h tell the byte order, which is little-endian. The rest, with no EDID in it, reads zero.
/// </summary>
internal sealed class VgaRegisterFile(VgaAdapter adapter) : IMmioHandler
{
    private const ulong PortsStart = 0x400;
    private const ulong PortsLength = 0x20;
    private const ulong DispiStart = 0x500;
    private const ulong DispiLength = 2 * DispiRegisters.Count;
    private const ulong ExtensionStart = 0x600;

    // How long the extension is, then its only register.
    private const uint ExtensionLength = 8;
    private const uint LittleEndian = 0x1E1E_1E1E;

    public ulong ReadMmio(ulong offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (ulong)ReadByte(offset + (ulong)i) << (8 * i);
        }

        return value;
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        if (offset - PortsStart < PortsLength)
        {
            for (ulong i = 0; i < (ulong)size && offset - PortsStart + i < PortsLength; i++)
            {
                adapter.WritePort((ushort)(VgaAdapter.Ports + offset - PortsStart + i), 1, (byte)(value >> (int)(8 * i)));
            }
        }
        else if (offset - DispiStart < DispiLength && size >= 2 && offset % 2 == 0)
        {
            for (int i = 0; i < size / 2; i++)
            {
                adapter.Dispi.Write((int)((offset - DispiStart) / 2) + i, (ushort)(value >> (16 * i)));
            }
        }
    }

    private byte ReadByte(ulong offset)
    {
        if (offset - PortsStart < PortsLength)
        {
            return (byte)adapter.ReadPort((ushort)(VgaAdapter.Ports + offset - PortsStart), 1);
        }

        if (offset - DispiStart < DispiLength)
        {
            ulong at = offset - DispiStart;
            return (byte)(adapter.Dispi.Read((int)(at / 2)) >> (int)(8 * (at % 2)));
        }

        uint extension = offset - ExtensionStart < 4 ? ExtensionLength : offset - ExtensionStart < ExtensionLength ? LittleEndian : 0;
        return (byte)(extension >> (int)(8 * (offset % 4)));
    }
}
