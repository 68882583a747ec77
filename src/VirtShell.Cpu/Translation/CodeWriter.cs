using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Translation;

/// <summary>Writes x86-64 machine code byte by byte: the few forms that the translator itself needs (SDM Vol. 2 chapter 2).</summary>
/// <remarks>Sound because the caller reserves more room than the longest block can take before it begins one.</remarks>
internal unsafe struct CodeWriter
{
    public const byte Add = 0;
    public const byte Or = 1;
    public const byte And = 4;
    public const byte Sub = 5;
    public const byte Xor = 6;
    public const byte Cmp = 7;

    public byte* At;

    /// <summary>What to add to a writable address to get the executable one.</summary>
    public nint Delta;

    /// <summary>Registers, as bits by number, that instructions written since it was last cleared may have changed. A vector register counts as the general one of its number.</summary>
    public uint Touched;

    public readonly byte* Executable => At + Delta;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Byte(int value) => *At++ = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Word(int value)
    {
        *(ushort*)At = (ushort)value;
        At += 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dword(int value)
    {
        *(int*)At = value;
        At += 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Qword(ulong value)
    {
        *(ulong*)At = value;
        At += 8;
    }

    /// <summary>REX for a ModRM with register field <paramref name="reg"/> and base or register <paramref name="rm"/>, where one is needed.</summary>
    public void Rex(bool wide, int reg, int rm, bool force = false)
    {
        Touched |= (1u << reg) | (1u << rm);
        int rex = 0x40 | (wide ? 8 : 0) | ((reg & 8) >> 1) | ((rm & 8) >> 3);
        if (rex != 0x40 || force)
        {
            Byte(rex);
        }
    }

    public void RexIndexed(bool wide, int reg, int index, int rm)
    {
        Touched |= 1u << reg;
        int rex = 0x40 | (wide ? 8 : 0) | ((reg & 8) >> 1) | ((index & 8) >> 2) | ((rm & 8) >> 3);
        if (rex != 0x40)
        {
            Byte(rex);
        }
    }

    public void ModRegister(int reg, int rm) => Byte(0xC0 | ((reg & 7) << 3) | (rm & 7));

    /// <summary>ModRM (and SIB) for [base + displacement].</summary>
    public void ModMemory(int reg, int @base, int displacement = 0)
    {
        int low = @base & 7;
        int mod = displacement == 0 && low != 5 ? 0 : displacement is >= -128 and <= 127 ? 1 : 2;
        Byte((mod << 6) | ((reg & 7) << 3) | low);
        if (low == 4)
        {
            Byte(0x24);
        }

        Displacement(mod, displacement);
    }

    /// <summary>ModRM and SIB for [base + index × 2^scale + displacement]; base or index may be -1.</summary>
    public void ModIndexed(int reg, int @base, int index, int scale, int displacement)
    {
        if (@base < 0)
        {
            Byte(((reg & 7) << 3) | 4);
            Byte((scale << 6) | (((index < 0 ? 4 : index) & 7) << 3) | 5);
            Dword(displacement);
            return;
        }

        int mod = displacement == 0 && (@base & 7) != 5 ? 0 : displacement is >= -128 and <= 127 ? 1 : 2;
        Byte((mod << 6) | ((reg & 7) << 3) | 4);
        Byte((scale << 6) | (((index < 0 ? 4 : index) & 7) << 3) | (@base & 7));
        Displacement(mod, displacement);
    }

    /// <summary>REX for a ModRM of <see cref="ModState"/>.</summary>
    public void RexState(bool wide, int reg) => Rex(wide, reg, HostRegister.State);

    /// <summary>ModRM for a field of the processor state.</summary>
    public void ModState(int reg, int offset) => ModMemory(reg, HostRegister.State, offset - HostRegister.StateBias);

    /// <summary>mov reg, reg (64 bits).</summary>
    public void Move(int to, int from) => Registers(0x48, 0x89, from, to);

    /// <summary>mov reg32, reg32: clears the upper half.</summary>
    public void Move32(int to, int from)
    {
        Rex(false, from, to);
        Byte(0x89);
        ModRegister(from, to);
    }

    /// <summary>mov reg32, immediate: clears the upper half.</summary>
    public void MoveImmediate32(int to, int value)
    {
        Rex(false, 0, to);
        Byte(0xB8 | (to & 7));
        Dword(value);
    }

    /// <summary>mov reg64, [state + offset].</summary>
    public void LoadState(int to, int offset) => StateInstruction(true, 0x8B, to, offset);

    /// <summary>mov reg32, [state + offset].</summary>
    public void LoadState32(int to, int offset) => StateInstruction(false, 0x8B, to, offset);

    /// <summary>mov [state + offset], reg64.</summary>
    public void StoreState(int offset, int from) => StateInstruction(true, 0x89, from, offset);

    /// <summary>mov [state + offset], reg32.</summary>
    public void StoreState32(int offset, int from) => StateInstruction(false, 0x89, from, offset);

    /// <summary>cmp dword [state + offset], immediate (-128 to 127).</summary>
    public void CompareState32(int offset, int value)
    {
        StateInstruction(false, 0x83, 7, offset);
        Byte(value);
    }

    /// <summary>mov dword [state + offset], immediate.</summary>
    public void StoreStateImmediate32(int offset, int value)
    {
        StateInstruction(false, 0xC7, 0, offset);
        Dword(value);
    }

    /// <summary>mov qword [state + offset], immediate (sign-extended).</summary>
    public void StoreStateImmediate64(int offset, int value)
    {
        StateInstruction(true, 0xC7, 0, offset);
        Dword(value);
    }

    /// <summary>An arithmetic operation of the 80h group on a register and [state + offset], 64 bits.</summary>
    public void AluState(byte operation, int reg, int offset) => StateInstruction(true, (operation << 3) | 3, reg, offset);

    /// <summary>An arithmetic operation of the 80h group on [state + offset], 64 bits, and an immediate (-128 to 127).</summary>
    public void AluStateImmediate(byte operation, int offset, int value)
    {
        StateInstruction(true, 0x83, operation, offset);
        Byte(value);
    }

    /// <summary>An arithmetic operation of the 80h group on a 64-bit register and an immediate.</summary>
    public void AluImmediate(byte operation, int reg, int value, bool wide = true)
    {
        Rex(wide, 0, reg);
        if (value is >= -128 and <= 127)
        {
            Byte(0x83);
            ModRegister(operation, reg);
            Byte(value);
        }
        else
        {
            Byte(0x81);
            ModRegister(operation, reg);
            Dword(value);
        }
    }

    /// <summary>An arithmetic operation of the 80h group on two registers: <paramref name="to"/> op= <paramref name="from"/>.</summary>
    public void AluRegister(byte operation, int to, int from, bool wide = true)
    {
        Rex(wide, from, to);
        Byte((operation << 3) | 1);
        ModRegister(from, to);
    }

    /// <summary>lea reg64, [base + displacement].</summary>
    public void Lea(int to, int @base, int displacement)
    {
        Rex(true, to, @base);
        Byte(0x8D);
        ModMemory(to, @base, displacement);
    }

    /// <summary>shr reg64, count.</summary>
    public void ShiftRight(int reg, int count)
    {
        Rex(true, 0, reg);
        Byte(0xC1);
        ModRegister(5, reg);
        Byte(count);
    }

    /// <summary>rorx to, from, count (64 bits): changes no flags.</summary>
    public void RotateRight(int to, int from, int count)
    {
        Touched |= 1u << to;
        Byte(0xC4);
        Byte(((to & 8) != 0 ? 0 : 0x80) | 0x40 | ((from & 8) != 0 ? 0 : 0x20) | 3);
        Byte(0xFB);
        Byte(0xF0);
        ModRegister(to, from);
        Byte(count);
    }

    /// <summary>shl reg64, count.</summary>
    public void ShiftLeft(int reg, int count)
    {
        Rex(true, 0, reg);
        Byte(0xC1);
        ModRegister(4, reg);
        Byte(count);
    }

    /// <summary>mov reg64, [base + displacement].</summary>
    public void Load(int to, int @base, int displacement = 0)
    {
        Rex(true, to, @base);
        Byte(0x8B);
        ModMemory(to, @base, displacement);
    }

    /// <summary>jcc rel32 to an address not known yet; gives the place of the displacement.</summary>
    public byte* JumpIf(int condition)
    {
        Byte(0x0F);
        Byte(0x80 | condition);
        byte* place = At;
        Dword(0);
        return place;
    }

    /// <summary>jmp rel32 to an address not known yet; gives the place of the displacement.</summary>
    public byte* Jump()
    {
        Byte(0xE9);
        byte* place = At;
        Dword(0);
        return place;
    }

    /// <summary>jmp rel32 to an executable address.</summary>
    public void JumpTo(byte* executable)
    {
        byte* place = Jump();
        Patch(place, executable - Delta);
    }

    /// <summary>call rel32 of an executable address.</summary>
    public void Call(byte* executable)
    {
        Touched = uint.MaxValue;
        Byte(0xE8);
        byte* place = At;
        Dword(0);
        Patch(place, executable - Delta);
    }

    /// <summary>Makes the displacement at <paramref name="place"/> reach <paramref name="target"/> (both in the writable view).</summary>
    public static void Patch(byte* place, byte* target) => *(int*)place = (int)(target - (place + 4));

    // An instruction of one opcode byte on a register and a field of the state. Most of what is written is of this kind: at once.
    private void StateInstruction(bool wide, int opcode, int reg, int offset)
    {
        Touched |= 1u << reg;
        int displacement = offset - HostRegister.StateBias;
        int head = 0x41 | (wide ? 8 : 0) | ((reg & 8) >> 1) | (opcode << 8) | ((((reg & 7) << 3) | (HostRegister.State & 7)) << 16);
        if (displacement is >= -128 and <= 127)
        {
            *(int*)At = head | 0x40_0000 | (displacement << 24);
            At += 4;
        }
        else
        {
            *(int*)At = head | 0x80_0000;
            *(int*)(At + 3) = displacement;
            At += 7;
        }
    }

    // REX, opcode and ModRM of two registers.
    private void Registers(int rex, int opcode, int reg, int rm)
    {
        Touched |= (1u << reg) | (1u << rm);
        *(int*)At = rex | ((reg & 8) >> 1) | ((rm & 8) >> 3) | (opcode << 8) | ((0xC0 | ((reg & 7) << 3) | (rm & 7)) << 16);
        At += 3;
    }

    private void Displacement(int mod, int displacement)
    {
        if (mod == 1)
        {
            Byte(displacement);
        }
        else if (mod == 2)
        {
            Dword(displacement);
        }
    }
}
