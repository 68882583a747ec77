using System;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>The registers that one instruction starts from or leaves behind.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal unsafe struct RegisterImage
{
    public fixed ulong Gpr[16];
    public ulong Flags;
    public uint Mxcsr;
    public fixed byte Pad[52];
    public fixed byte Ymm[16 * 32];
    public fixed ulong Mm[8];

    public const int FlagsOffset = 128;
    public const int MxcsrOffset = 136;
    public const int YmmOffset = 192;
    public const int MmOffset = 704;
    public const int Size = 768;
}

/// <summary>
/// Memory at addresses that host and guest share, so that pointers need no translation: the register images, a stack, a
/// window that memory operands fall in, and the place that the instruction runs at.
/// </summary>
internal sealed unsafe class DifferentialMemory : IDisposable
{
    /// <summary>Below 2 GiB, so that 32-bit addresses reach it.</summary>
    public const ulong Address = 0x5000_0000;
    public const int Size = 0x20000;
    public const int BeforeOffset = 0;
    public const int AfterOffset = 0x1000;
    public const int SavedOffset = 0x2000;

    /// <summary>What <see cref="HostFaults"/> and the host's code tell each other; see there.</summary>
    public const int ControlOffset = 0x2100;

    /// <summary>The compared window; below it lies room for the host's signal frames.</summary>
    public const int WindowOffset = 0x18000;
    public const int WindowSize = 1024;

    /// <summary>Offset in the window of what the base registers point to.</summary>
    public const int OperandOffset = 256;

    /// <summary>What the stack pointer holds.</summary>
    public const ulong Stack = Address + WindowOffset + 128;

    /// <summary>What the base register of memory operands holds.</summary>
    public const ulong Operand = Address + WindowOffset + OperandOffset;

    /// <summary>A page of code that host and guest have at the same address.</summary>
    public const ulong CodeAddress = 0x6000_0000;
    public const int CodeSize = 4096;

    /// <summary>Where every compared instruction stands.</summary>
    public const ulong Rip = CodeAddress + 0x800;

    /// <summary>What a branch may go to: behind the instruction, and in front of it.</summary>
    public const ulong Forward = Rip + 0x48;
    public const ulong Backward = Rip - 0x30;

    private const int ProtReadWrite = 3;
    private const int ProtAll = 7;
    private const int MapPrivateAnonymousFixedNoReplace = 0x2 | 0x20 | 0x100000;

    public DifferentialMemory()
    {
        Pointer = (byte*)Map((void*)Address, Size, ProtReadWrite, MapPrivateAnonymousFixedNoReplace, -1, 0);
        Code = (byte*)Map((void*)CodeAddress, CodeSize, ProtAll, MapPrivateAnonymousFixedNoReplace, -1, 0);
        IsAvailable = Pointer == (byte*)Address && Code == (byte*)CodeAddress;
    }

    /// <summary>False where the host has something else at the addresses, or no memory that can be written and run.</summary>
    public bool IsAvailable { get; }

    public byte* Pointer { get; }

    public byte* Code { get; }

    public RegisterImage* Before => (RegisterImage*)(Pointer + BeforeOffset);

    public RegisterImage* After => (RegisterImage*)(Pointer + AfterOffset);

    public HostControl* Control => (HostControl*)(Pointer + ControlOffset);

    public byte* Window => Pointer + WindowOffset;

    public void Dispose()
    {
        Release(Pointer, Size);
        Release(Code, CodeSize);
    }

    private static void Release(byte* at, int size)
    {
        if ((nint)at != -1)
        {
            Unmap(at, (nuint)size);
        }
    }

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap", ExactSpelling = true)]
    private static extern int Unmap(void* address, nuint length);
}
