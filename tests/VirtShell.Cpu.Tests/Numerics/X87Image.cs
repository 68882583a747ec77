using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Tests.Numerics;

/// <summary>The 108-byte FNSAVE/FRSTOR image of 32-bit protected and 64-bit mode (Intel SDM vol. 1, figure 8-9).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct X87Image
{
    public ushort Control;
    public ushort Reserved0;
    public ushort Status;
    public ushort Reserved1;
    public ushort Tags;
    public ushort Reserved2;
    public uint InstructionPointer;
    public ushort CodeSelector;
    public ushort Opcode;
    public uint DataPointer;
    public ushort DataSelector;
    public ushort Reserved3;
    public Registers8 Stack;

    public readonly int Top => (Status >> 11) & 7;

    [InlineArray(8)]
    internal struct Registers8
    {
        private Float80 _first;
    }
}
