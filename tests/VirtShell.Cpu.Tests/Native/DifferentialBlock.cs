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

    public const int FlagsOffset = 128;
    public const int MxcsrOffset = 136;
    public const int YmmOffset = 192;
    public const int Size = 704;
}

/// <summary>
/// Memory at an address that host and guest share, so that pointers need no translation: the register images, a stack, and a
/// window that memory operands fall in.
/// </summary>
internal sealed unsafe class DifferentialMemory : IDisposable
{
    /// <summary>Below 2 GiB, so that 32-bit addresses reach it.</summary>
    public const ulong Address = 0x5000_0000;
    public const int Size = 0x20000;
    public const int BeforeOffset = 0;
    public const int AfterOffset = 0x1000;
    public const int SavedOffset = 0x2000;

    /// <summary>The compared window; below it lies room for the host's signal frames.</summary>
    public const int WindowOffset = 0x18000;
    public const int WindowSize = 1024;

    /// <summary>What the stack pointer holds.</summary>
    public const ulong Stack = Address + WindowOffset + 64;

    /// <summary>What the base register of memory operands holds.</summary>
    public const ulong Operand = Address + WindowOffset + 256;

    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymousFixedNoReplace = 0x2 | 0x20 | 0x100000;

    public DifferentialMemory()
    {
        Pointer = (byte*)Map((void*)Address, Size, ProtReadWrite, MapPrivateAnonymousFixedNoReplace, -1, 0);
        IsAvailable = Pointer == (byte*)Address;
    }

    /// <summary>False where the host has something else at the address.</summary>
    public bool IsAvailable { get; }

    public byte* Pointer { get; }

    public RegisterImage* Before => (RegisterImage*)(Pointer + BeforeOffset);

    public RegisterImage* After => (RegisterImage*)(Pointer + AfterOffset);

    public byte* Window => Pointer + WindowOffset;

    public void Dispose()
    {
        if ((nint)Pointer != -1)
        {
            Unmap(Pointer, Size);
        }
    }

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap", ExactSpelling = true)]
    private static extern int Unmap(void* address, nuint length);
}
