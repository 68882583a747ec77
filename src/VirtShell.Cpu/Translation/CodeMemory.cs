using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Memory for emitted code: one range of pages seen twice, once readable and writable, once readable and executable, so that
/// no page is ever writable and executable at one address. Taken lazily from the host.
/// </summary>
/// <remarks>Linux only: the views are two mappings of one memfd. Hosts without it run the interpreter.</remarks>
internal sealed unsafe partial class CodeMemory : IDisposable
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int ProtExecute = 4;
    private const int MapShared = 1;
    private const uint CloseOnExec = 1;
    private static readonly Lazy<bool> s_usable = new(TryUse);

    /// <summary>Taken from the host at a time.</summary>
    private const int Step = 256 << 10;

    private readonly nuint _length;
    private byte* _taken;

    /// <summary>Takes <paramref name="length"/> bytes of address space, a multiple of 4 KiB, twice.</summary>
    /// <exception cref="OutOfMemoryException">The host refuses.</exception>
    public CodeMemory(nuint length)
    {
        _length = length;
        int descriptor = MemfdCreate("virtshell-code", CloseOnExec);
        if (descriptor < 0 || Ftruncate(descriptor, (nint)length) != 0)
        {
            throw new OutOfMemoryException($"The host gives no memory for emitted code (errno {Marshal.GetLastPInvokeError()}).");
        }

        nint writable = Mmap(0, length, ProtRead | ProtWrite, MapShared, descriptor, 0);
        nint executable = Mmap(0, length, ProtRead | ProtExecute, MapShared, descriptor, 0);
        int error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        if (writable == -1 || executable == -1)
        {
            throw new OutOfMemoryException($"The host allows no executable memory (errno {error}).");
        }

        Writable = (byte*)writable;
        _taken = Writable;
        Executable = (byte*)executable;
    }

    ~CodeMemory() => Release();

    /// <summary>Whether this host can run emitted code: x86-64 with AVX2, Linux and executable memory.</summary>
    public static bool IsUsable => s_usable.Value;

    /// <summary>Where code is written.</summary>
    public byte* Writable { get; private set; }

    /// <summary>Where the same bytes execute.</summary>
    public byte* Executable { get; private set; }

    /// <summary>Says that the bytes below an address are about to be written.</summary>
    public void Take(byte* end)
    {
        byte* limit = Writable + _length;
        while (_taken < end && _taken < limit)
        {
            ulong length = Math.Min(Step, (ulong)(limit - _taken));
            HostMemory.Populate(_taken, length);
            HostMemory.PopulateForReading(Executable + (_taken - Writable), length);
            _taken += length;
        }
    }

    /// <summary>What the host has had to give of it, in bytes; both views are of the same pages. From any thread.</summary>
    public ulong ResidentBytes() => HostMemory.Resident(Writable, _length);

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private static bool TryUse()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 || !Avx2.IsSupported || !Lzcnt.IsSupported || !Bmi2.IsSupported)
        {
            return false;
        }

        try
        {
            using CodeMemory probe = new(4096);
            return probe.Executable != null;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    private void Release()
    {
        if (Writable != null)
        {
            _ = Munmap((nint)Writable, _length);
            _ = Munmap((nint)Executable, _length);
            Writable = null;
            Executable = null;
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemfdCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int Ftruncate(int descriptor, nint length);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
