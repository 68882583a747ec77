using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// The stack of emitted code. A guest's call is a call of the host, and its return is one, so that the host's processor predicts it.
/// It only predicts: an entry is the guest's return address, above it the host's, and whoever is returned to compares. It is empty
/// whenever emitted code is entered, so nothing in it outlives a change of mappings, of privilege or of translations.
/// </summary>
/// <remarks>
/// It cannot overflow: every call retires an instruction of the budget that emitted code is entered with, and
/// <see cref="MaxBudget"/> bounds that.
/// </remarks>
internal sealed unsafe class ReturnStack : IDisposable
{
    /// <summary>
    /// Instructions of a budget that emitted code may be entered with, at most. It is also how long a request to stop may wait, so
    /// it is short: each may miss all of the host's caches.
    /// </summary>
    public const long MaxBudget = 1 << 16;

    private const ulong EntryBytes = 16;

    /// <summary>For calls of the engine, and the frames of the host's signals.</summary>
    private const ulong Spare = 256 << 10;
    private const ulong Bytes = (MaxBudget * EntryBytes) + Spare;

    private byte* _memory = HostMemory.Reserve(Bytes);

    ~ReturnStack() => Release();

    /// <summary>Makes the stack's lowest entry return to <paramref name="code"/>; gives the RSP at which it stands.</summary>
    public nint SetBase(byte* code)
    {
        byte* top = _memory + Bytes - 64;
        *(byte**)top = code;
        return (nint)top;
    }

    /// <summary>What the host has had to give of it, in bytes. From any thread.</summary>
    public ulong ResidentBytes() => HostMemory.Resident(_memory, Bytes);

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_memory != null)
        {
            HostMemory.Release(_memory, Bytes);
            _memory = null;
        }
    }
}
