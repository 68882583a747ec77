using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Memory for the jump tables of one processor. The first ones, which is all that small systems have, are taken from the host page by
/// page; where there are more, emitted code looks all over them, and they lie in large pages.
/// </summary>
internal sealed unsafe class JumpTableMemory : IDisposable
{
    private readonly ulong _length;
    private readonly Stack<nint> _returned = [];
    private byte* _reserved;
    private byte* _next;

    public JumpTableMemory(int tables)
    {
        _length = ((ulong)tables * JumpTable.Bytes) + HostMemory.LargePage;
        _reserved = HostMemory.Reserve(_length);
        _next = (byte*)(((ulong)_reserved + HostMemory.LargePage - 1) & ~(HostMemory.LargePage - 1));
        HostMemory.UseLargePages(_next + HostMemory.LargePage, (ulong)(_reserved + _length - _next) - HostMemory.LargePage);
    }

    ~JumpTableMemory() => Release();

    /// <summary>Memory for a table: zeros, or what a table that was given back has left. No more than the tables there may be.</summary>
    public byte* Take()
    {
        if (_returned.TryPop(out nint returned))
        {
            return (byte*)returned;
        }

        if (_next + JumpTable.Bytes > _reserved + _length)
        {
            throw new InvalidOperationException("There are more jump tables than may be.");
        }

        byte* memory = _next;
        _next += JumpTable.Bytes;
        return memory;
    }

    public void Return(byte* memory) => _returned.Push((nint)memory);

    /// <summary>What the host has had to give of it, in bytes. From any thread.</summary>
    public ulong ResidentBytes() => HostMemory.Resident(_reserved, _length);

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_reserved != null)
        {
            HostMemory.Release(_reserved, _length);
            _reserved = null;
        }
    }
}
