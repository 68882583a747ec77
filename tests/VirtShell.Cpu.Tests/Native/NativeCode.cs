using System;
using System.IO;
using System.Runtime.InteropServices;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>
/// A piece of x86-64 machine code made at run time and called with one pointer argument: the host's own processor as the
/// reference for the interpreter. The code finds the argument in <see cref="Argument"/> and must end with RET, keeping the
/// registers that the platform's C calling convention preserves. Nothing emitted may fault.
/// </summary>
internal sealed unsafe class NativeCode : IDisposable
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int ProtExec = 4;
    private const int MapPrivate = 2;
    private const int MapAnonymousLinux = 0x20;
    private const int MapAnonymousMac = 0x1000;
    private const uint MemCommitReserve = 0x3000;
    private const uint MemRelease = 0x8000;
    private const uint PageReadWrite = 0x04;
    private const uint PageExecuteRead = 0x20;

    private readonly byte* _code;
    private readonly nuint _size;

    /// <summary>Copies machine code into memory of its own and makes it executable.</summary>
    public NativeCode(ReadOnlySpan<byte> code)
    {
        _size = (nuint)((code.Length + 4095) & ~4095);
        _code = Allocate(_size);
        code.CopyTo(new Span<byte>(_code, code.Length));
        bool done = OperatingSystem.IsWindows()
            ? VirtualProtect(_code, _size, PageExecuteRead, out _)
            : Protect(_code, _size, ProtRead | ProtExec) == 0;
        if (!done)
        {
            throw new InvalidOperationException("The host refuses to make memory executable.");
        }
    }

    /// <summary>True where emitted code can run here: an x86-64 process.</summary>
    public static bool IsSupported => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>The register that holds the argument: the platform's first integer argument.</summary>
    public static AssemblerRegister64 Argument => OperatingSystem.IsWindows() ? rcx : rdi;

    /// <summary>Skips the running test, by name, on hosts whose processor cannot serve as the reference.</summary>
    public static void RequireHost() =>
        Skip.IfNot(IsSupported, "Needs an x86-64 host processor to compare with.");

    /// <summary>Assembles what <paramref name="emit"/> writes, followed by RET.</summary>
    public static NativeCode Assemble(Action<Assembler> emit)
    {
        var assembler = new Assembler(64);
        emit(assembler);
        assembler.ret();
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        return new NativeCode(stream.ToArray());
    }

    /// <summary>Where the code begins.</summary>
    public void* Entry => _code;

    public void Invoke(void* argument) => ((delegate* unmanaged[Cdecl]<void*, void>)_code)(argument);

    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
        {
            VirtualFree(_code, 0, MemRelease);
        }
        else
        {
            Unmap(_code, _size);
        }
    }

    private static byte* Allocate(nuint size)
    {
        if (OperatingSystem.IsWindows())
        {
            return VirtualAlloc(null, size, MemCommitReserve, PageReadWrite);
        }

        int anonymous = OperatingSystem.IsMacOS() ? MapAnonymousMac : MapAnonymousLinux;
        void* memory = Map(null, size, ProtRead | ProtWrite, MapPrivate | anonymous, -1, 0);
        return (nint)memory == -1 ? throw new InvalidOperationException("The host gives no memory for code.") : (byte*)memory;
    }

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "mprotect", ExactSpelling = true)]
    private static extern int Protect(void* address, nuint length, int protection);

    [DllImport("libc", EntryPoint = "munmap", ExactSpelling = true)]
    private static extern int Unmap(void* address, nuint length);

    [DllImport("kernel32", ExactSpelling = true)]
    private static extern byte* VirtualAlloc(void* address, nuint size, uint type, uint protection);

    [DllImport("kernel32", ExactSpelling = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool VirtualProtect(void* address, nuint size, uint protection, out uint old);

    [DllImport("kernel32", ExactSpelling = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool VirtualFree(void* address, nuint size, uint type);
}
