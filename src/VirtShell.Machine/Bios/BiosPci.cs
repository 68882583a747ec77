using System;
using System.Buffers.Binary;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>The PCI BIOS (PCI BIOS Specification 2.1) by INT 1Ah B1h and by its 32-bit entry, and the 32-bit service directory.</summary>
[NotState("It has none.")]
internal sealed class BiosPci(BiosCpu c)
{
    private const int ConfigAddress = 0xCF8;
    private const int ConfigData = 0xCFC;
    private const uint Enable = 1u << 31;
    private const int FunctionCount = 256;
    private const byte Successful = 0x00;
    private const byte NotSupported = 0x81;
    private const byte BadVendor = 0x83;
    private const byte DeviceNotFound = 0x86;
    private const byte BadRegister = 0x87;
    private const byte BufferTooSmall = 0x89;
    private const int MostRegisters = 256;

    /// <summary>The function in AL; true where it was successful. AH gets the status.</summary>
    public bool Call()
    {
        byte status = Do(c.Al);
        c.Ah = status;
        return status == Successful;
    }

    /// <summary>The same, called far, carry in the processor's own flags.</summary>
    public void Call32() => c.SetLiveCarry(c.Ah != 0xB1 || !Call());

    /// <summary>BIOS32: which service EAX names, BL being 0. AL 0: EBX is its base, ECX its length, EDX its entry.</summary>
    public void Directory()
    {
        const uint Pci = 0x4943_5024;
        const byte NotThere = 0x80;
        const byte BadFunction = 0x81;
        if (c.Bl != 0)
        {
            c.Al = BadFunction;
        }
        else if (c.Eax != Pci)
        {
            c.Al = NotThere;
        }
        else
        {
            c.Al = 0;
            (c.Ebx, c.Ecx, c.Edx) = (BiosRom.Base, BiosRom.Length, (uint)BiosRom.PciEntry);
        }
    }

    private byte Do(byte function)
    {
        switch (function & 0x7F)
        {
            case 0x01:
                // "PCI ", version 2.1, mechanism 1, one bus.
                (c.Edx, c.Al, c.Bx, c.Cl) = (0x2049_4350, 1, 0x0210, 0);
                c.Edi = BiosRom.Base + (uint)BiosRom.PciEntry;
                return Successful;
            case 0x02:
                return c.Dx == 0xFFFF ? BadVendor : Find(0, ((uint)c.Cx << 16) | c.Dx, 0);
            case 0x03:
                return Find(8, c.Ecx & 0xFF_FFFF, 8);
            case >= 0x08 and <= 0x0D:
                return Access(function & 0x7F);
            case 0x0E:
                return TellRouting();
            case 0x0F:
                return SetInterrupt();
            default:
                return NotSupported;
        }
    }

    // The SI-th function whose register, shifted, has a value.
    private byte Find(int register, uint wanted, int shift)
    {
        int left = c.Si;
        for (int function = 0; function < FunctionCount; function++)
        {
            if ((function & 7) != 0 && Read(function & ~7, 0) == uint.MaxValue)
            {
                continue;
            }

            if (Read(function, 0) != uint.MaxValue && Read(function, register) >> shift == wanted && left-- == 0)
            {
                c.Bx = (ushort)function;
                return Successful;
            }
        }

        return DeviceNotFound;
    }

    private byte Access(int function)
    {
        int size = 1 << ((function - 8) % 3);
        int register = c.Di;
        if (register >= MostRegisters || register % size != 0)
        {
            return BadRegister;
        }

        uint before = Select(c.Bx, register);
        ushort port = (ushort)(ConfigData + (register & 3));
        if (function >= 0x0B)
        {
            c.Board.Bus.WritePort(port, size, size switch { 1 => c.Cl, 2 => c.Cx, _ => c.Ecx });
        }
        else
        {
            uint value = c.Board.Bus.ReadPort(port, size);
            switch (size)
            {
                case 1:
                    c.Cl = (byte)value;
                    break;
                case 2:
                    c.Cx = (ushort)value;
                    break;
                default:
                    c.Ecx = value;
                    break;
            }
        }

        c.Board.Bus.WritePort(ConfigAddress, 4, before);
        return Successful;
    }

    // ES:DI is a word of length and a far pointer; there the entries of $PIR go. BX gets the IRQs that only PCI uses.
    private byte TellRouting()
    {
        Span<byte> route = stackalloc byte[6];
        c.ReadEs(c.Di, route);
        byte[] entries = BiosTables.RoutingEntries(c.Board);
        int room = BinaryPrimitives.ReadUInt16LittleEndian(route);
        BinaryPrimitives.WriteUInt16LittleEndian(route, (ushort)entries.Length);
        c.WriteEs(c.Di, route[..2]);
        if (room < entries.Length)
        {
            return BufferTooSmall;
        }

        uint at = ((uint)BinaryPrimitives.ReadUInt16LittleEndian(route[4..]) << 4) + BinaryPrimitives.ReadUInt16LittleEndian(route[2..]);
        c.Processor.WriteLinear(at, (ReadOnlySpan<byte>)entries);
        c.Bx = (1 << 10) | (1 << 11);
        return Successful;
    }

    // CL is the pin, from 0Ah for INTA#; CH the IRQ; BX a function of the slot.
    private byte SetInterrupt()
    {
        const byte SetFailed = 0x88;
        const int PiixFunction = 1 << 3;
        const int Routes = 0x60;
        int pin = c.Cl - 0x0A;
        if (pin is < 0 or > 3 || c.Ch is not (3 or 4 or 5 or 7 or 9 or 10 or 11 or 12 or 14 or 15))
        {
            return SetFailed;
        }

        int link = Interrupts.InterruptRouter.PirqOf(c.Bl >> 3, pin + 1);
        uint before = Select(PiixFunction, Routes + link);
        c.Board.Bus.WritePort((ushort)(ConfigData + link), 1, c.Ch);
        c.Board.Bus.WritePort(ConfigAddress, 4, before);
        return Successful;
    }

    private uint Read(int function, int register)
    {
        uint before = Select(function, register);
        uint value = c.Board.Bus.ReadPort(ConfigData, 4);
        c.Board.Bus.WritePort(ConfigAddress, 4, before);
        return value;
    }

    // Gives what was selected before, so that a driver which was interrupted finds it again.
    private uint Select(int function, int register)
    {
        uint before = c.Board.Bus.ReadPort(ConfigAddress, 4);
        c.Board.Bus.WritePort(ConfigAddress, 4, Enable | ((uint)function << 8) | ((uint)register & 0xFC));
        return before;
    }
}
