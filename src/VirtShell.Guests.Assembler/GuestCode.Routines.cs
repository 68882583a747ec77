using System;
using System.Collections.Generic;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler;

/// <summary>What guests share. A guest carries only the routines that it calls.</summary>
internal enum Routine
{
    /// <summary>COM1 to 115200 8N1, FIFO on, interrupts off. Changes EAX, EDX.</summary>
    SerialInit,

    /// <summary>Sends AL. Changes EAX, EDX.</summary>
    PutChar,

    /// <summary>Sends the zero-terminated string at ESI. Changes EAX, EDX, ESI.</summary>
    PutString,

    /// <summary>Sends EAX in decimal. Changes EAX, ECX, EDX, EDI.</summary>
    PutDecimal,

    /// <summary>Sends EAX as eight hexadecimal digits. Changes EAX, ECX, EDX, EDI.</summary>
    PutHex,

    /// <summary>EAX = RAM in KiB by Multiboot's mem_upper plus the first MiB, or 0 where the loader did not say. Changes EBX.</summary>
    MemoryKib,

    /// <summary>Sends RAM in MiB ("256 MiB"). Changes EAX–EDX, ESI, EDI.</summary>
    PutMemory,

    /// <summary>Remaps the 8259s to vectors 20h–2Fh with everything masked, and loads the IDT at <see cref="Layout.Idt"/>. Changes EAX, EDX.</summary>
    InterruptInit,

    /// <summary>Writes an interrupt gate: vector EAX, handler EBX. Changes ECX.</summary>
    SetGate,

    /// <summary>Does not return.</summary>
    PowerOff,
}

internal sealed partial class GuestCode
{
    /// <summary>Multiboot information: flags bit 0 says that mem_lower and mem_upper are there (section 3.3).</summary>
    private const int InfoFlags = 0;
    private const int InfoMemoryUpper = 8;

    private readonly Dictionary<Routine, Spot> _routines = [];

    public void Call(Routine routine) => Asm.call(Need(routine).Label);

    public void Jump(Routine routine) => Asm.jmp(Need(routine).Label);

    private Spot Need(Routine routine)
    {
        if (!_routines.TryGetValue(routine, out var spot))
        {
            spot = NewSpot();
            _routines.Add(routine, spot);
        }

        return spot;
    }

    private void EmitRoutines()
    {
        // A routine may call others, so go on until none is new.
        HashSet<Routine> done = [];
        for (var more = true; more;)
        {
            more = false;
            foreach (var routine in Enum.GetValues<Routine>())
            {
                if (_routines.TryGetValue(routine, out var spot) && done.Add(routine))
                {
                    Place(spot);
                    Emit(routine);
                    more = true;
                }
            }
        }
    }

    private void Emit(Routine routine)
    {
        switch (routine)
        {
            case Routine.SerialInit:
                EmitSerialInit();
                break;
            case Routine.PutChar:
                EmitPutChar();
                break;
            case Routine.PutString:
                EmitPutString();
                break;
            case Routine.PutDecimal:
                EmitPutDecimal();
                break;
            case Routine.PutHex:
                EmitPutHex();
                break;
            case Routine.MemoryKib:
                EmitMemoryKib();
                break;
            case Routine.PutMemory:
                EmitPutMemory();
                break;
            case Routine.InterruptInit:
                EmitInterruptInit();
                break;
            case Routine.SetGate:
                EmitSetGate();
                break;
            case Routine.PowerOff:
                EmitPowerOff();
                break;
            default:
                throw new InvalidOperationException(routine.ToString());
        }
    }

    private void EmitSerialInit()
    {
        Out(Hardware.UartInterruptEnable, 0);
        Out(Hardware.UartLineControl, Hardware.DivisorLatchAccess | Hardware.EightBitsNoParity);
        Out(Hardware.UartData, 1); // divisor 1: 115200 baud
        Out(Hardware.UartInterruptEnable, 0);
        Out(Hardware.UartLineControl, Hardware.EightBitsNoParity);
        Out(Hardware.UartFifoControl, Hardware.FifoEnableAndClear);
        Out(Hardware.UartModemControl, Hardware.DtrRtsOut2);
        Asm.ret();
    }

    private void EmitPutChar()
    {
        var c = Asm;
        c.mov(ah, al);
        c.mov(edx, Hardware.UartLineStatus);
        var wait = Here();
        c.@in(al, dx);
        c.test(al, Hardware.TransmitHoldingEmpty);
        c.je(wait.Label);
        c.mov(al, ah);
        c.mov(edx, Hardware.UartData);
        c.@out(dx, al);
        c.ret();
    }

    private void EmitPutString()
    {
        var c = Asm;
        var done = NewSpot();
        var next = Here();
        c.lodsb();
        c.test(al, al);
        c.je(done.Label);
        Call(Routine.PutChar);
        c.jmp(next.Label);
        Place(done);
        c.ret();
    }

    private void EmitPutDecimal()
    {
        var c = Asm;
        c.mov(edi, 10);
        c.xor(ecx, ecx);
        var divide = Here();
        c.xor(edx, edx);
        c.div(edi);
        c.push(edx);
        c.inc(ecx);
        c.test(eax, eax);
        c.jne(divide.Label);
        var send = Here();
        c.pop(eax);
        c.add(al, (sbyte)'0');
        Call(Routine.PutChar);
        c.dec(ecx);
        c.jne(send.Label);
        c.ret();
    }

    private void EmitPutHex()
    {
        var c = Asm;
        c.mov(edi, eax);
        c.mov(ecx, 8);
        var next = Here();
        var digit = NewSpot();
        c.rol(edi, 4);
        c.mov(eax, edi);
        c.and(eax, 0x0F);
        c.add(al, (sbyte)'0');
        c.cmp(al, (sbyte)'9');
        c.jbe(digit.Label);
        c.add(al, 'a' - '9' - 1);
        Place(digit);
        Call(Routine.PutChar);
        c.dec(ecx);
        c.jne(next.Label);
        c.ret();
    }

    private void EmitMemoryKib()
    {
        var c = Asm;
        var unknown = NewSpot();
        c.mov(ebx, __dword_ptr[Layout.BootInfo]);
        c.xor(eax, eax);
        c.test(__byte_ptr[ebx + InfoFlags], 1);
        c.je(unknown.Label);
        c.mov(eax, __dword_ptr[ebx + InfoMemoryUpper]);
        c.add(eax, 1024);
        Place(unknown);
        c.ret();
    }

    private void EmitPutMemory()
    {
        var c = Asm;
        var unknown = NewSpot();
        Call(Routine.MemoryKib);
        c.test(eax, eax);
        c.je(unknown.Label);

        // Loaders keep a few pages at the top for tables; people think in whole MiB.
        c.add(eax, 1023);
        c.shr(eax, 10);
        Call(Routine.PutDecimal);
        Print(" MiB");
        c.ret();
        Place(unknown);
        Print("an unknown amount");
        c.ret();
    }

    private void EmitInterruptInit()
    {
        ReadOnlySpan<(int Port, int Value)> sequence =
        [
            (Hardware.Pic1Command, Hardware.PicInitialize),
            (Hardware.Pic2Command, Hardware.PicInitialize),
            (Hardware.Pic1Data, Hardware.IrqBase),
            (Hardware.Pic2Data, Hardware.IrqBase + 8),
            (Hardware.Pic1Data, 1 << 2), // the second controller hangs on IRQ 2
            (Hardware.Pic2Data, 2),
            (Hardware.Pic1Data, 1), // 8086 mode
            (Hardware.Pic2Data, 1),
            (Hardware.Pic1Data, 0xFF),
            (Hardware.Pic2Data, 0xFF),
        ];
        foreach (var (port, value) in sequence)
        {
            Asm.mov(al, unchecked((sbyte)value));
            Asm.@out((byte)port, al);
        }

        LoadTable(Layout.Idt, (256 * 8) - 1, isIdt: true);
        Asm.ret();
    }

    private void EmitSetGate()
    {
        const int interruptGate32 = 0x8E00;
        var c = Asm;
        c.mov(ecx, ebx);
        c.and(ecx, 0xFFFF);
        c.or(ecx, Layout.CodeSelector << 16);
        c.mov(__dword_ptr[(eax * 8) + Layout.Idt], ecx);
        c.mov(ecx, ebx);
        c.and(ecx, unchecked((int)0xFFFF_0000));
        c.or(ecx, interruptGate32);
        c.mov(__dword_ptr[(eax * 8) + (Layout.Idt + 4)], ecx);
        c.ret();
    }

    private void EmitPowerOff()
    {
        var c = Asm;
        c.cli();
        c.mov(edx, Hardware.UartLineStatus);
        var drain = Here();
        c.@in(al, dx);
        c.test(al, Hardware.TransmitterEmpty);
        c.je(drain.Label);
        c.mov(edx, Hardware.Pm1Control);
        c.mov(eax, Hardware.SleepTypeS5 | Hardware.SleepEnable);
        c.@out(dx, ax);

        // Never reached on a machine with ACPI power-off; a halt that nothing ends is the honest rest.
        var rest = Here();
        c.hlt();
        c.jmp(rest.Label);
    }
}
