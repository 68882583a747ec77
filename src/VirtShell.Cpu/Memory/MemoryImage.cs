using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Guest memory that changes no more, for any number of machines to begin with. On Linux they share its pages until they write to
/// them; elsewhere each takes a copy. What was made from an image does not need it any more: it may be disposed at any time.
/// </summary>
/// <remarks>
/// On Linux the content is in a sealed file without a name (memfd_create), which costs one descriptor, and machines map it privately,
/// so that the host's own copy-on-write does the work: host addresses stay what they are, and neither soft TLBs nor emitted code
/// notice. All methods may be called from any thread.
/// </remarks>
public sealed unsafe class MemoryImage : IDisposable
{
    /// <summary>Mappings that a machine needs for it at most: a host has some 65,000 for a process, and a thousand machines share them.</summary>
    private const int MostRuns = 8;

    /// <summary>Content that is nearer together is mapped as one.</summary>
    private const ulong SmallestGap = 256 << 10;

    private const ulong WriteStep = 1 << 30;

    private readonly SafeHandle _content;
    private readonly List<MemoryRun> _runs;
    private readonly byte[] _kinds;

    private MemoryImage(PhysicalMemory memory, bool shares)
    {
        RamBytes = memory.RamBytes;
        _kinds = memory.StateOfKinds();
        List<MemoryRun> written = MemoryRun.WrittenIn(memory);
        _runs = MemoryRun.Join(written, MostRuns, SmallestGap);
        Bytes = written.Aggregate(0UL, static (sum, run) => sum + run.Length);
        SafeFileHandle? file = shares ? HostMemory.CreateSharedFile() : null;
        _content = file is null ? new Copy(Length) : file;
        try
        {
            Fill(memory, written);
        }
        catch (IOException e)
        {
            throw new OutOfMemoryException($"The host has no room for the {Bytes} bytes of a frozen machine's memory: {e.Message} Freeze fewer machines, or smaller ones.", e);
        }
        finally
        {
            if (!IsComplete)
            {
                _content.Dispose();
            }
        }
    }

    /// <summary>RAM of the machine that it was taken from, and of all that are made from it.</summary>
    public ulong RamBytes { get; }

    /// <summary>Host memory that the content takes, in bytes, however many machines share it: pages that are not all zeros.</summary>
    public ulong Bytes { get; }

    /// <summary>Whether machines share the pages; false where each takes a copy.</summary>
    public bool IsShared => _content is SafeFileHandle;

    internal bool IsDisposed => _content.IsClosed;

    private bool IsComplete { get; set; }

    private ulong Length => _runs.Count == 0 ? PhysicalMemory.PageSize : _runs[^1].Offset + _runs[^1].Length;

    /// <summary>Ends what new machines can be made from; those that there are go on.</summary>
    public void Dispose() => _content.Dispose();

    internal static MemoryImage Of(PhysicalMemory memory, bool shares) => new(memory, shares);

    /// <summary>Puts content and page kinds into place. Everything there reads as zeros before.</summary>
    /// <exception cref="ObjectDisposedException">The image is disposed.</exception>
    /// <exception cref="OutOfMemoryException">The host has no room.</exception>
    internal void PutInto(byte* memory, byte* kinds)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        foreach (MemoryRun run in _runs)
        {
            if (_content is SafeFileHandle file)
            {
                HostMemory.MapShared(memory + run.Start, run.Length, file, run.Offset);
            }
            else
            {
                ((Copy)_content).Read(run.Offset, memory + run.Start, run.Length);
            }
        }

        PhysicalMemory.CopyKinds(_kinds, new Span<byte>(kinds, _kinds.Length));
    }

    /// <summary>Maps the content of a shared image over memory that holds the same already, which then takes no memory of its own.</summary>
    /// <param name="memory">Where guest-physical 0 is.</param>
    /// <param name="length">Of the memory, where something else may stand below it; 0 where nothing does.</param>
    internal void PutBelow(byte* memory, ulong length)
    {
        ulong done = 0;
        foreach (MemoryRun run in _runs)
        {
            if (run.Start > done && length > 0)
            {
                HostMemory.MapZeros(memory + done, run.Start - done);
            }

            HostMemory.MapShared(memory + run.Start, run.Length, (SafeFileHandle)_content, run.Offset);
            done = run.End;
        }

        if (length > done)
        {
            HostMemory.MapZeros(memory + done, length - done);
        }
    }

    /// <summary>Reads a page of an image that is shared, zeros where it has nothing.</summary>
    internal void ReadPage(ulong page, Span<byte> destination)
    {
        foreach (MemoryRun run in _runs)
        {
            if (page - run.Start < run.Length)
            {
                RandomAccess.Read((SafeFileHandle)_content, destination, (long)(run.Offset + page - run.Start));
                return;
            }
        }

        destination.Clear();
    }

    private void Fill(PhysicalMemory memory, List<MemoryRun> written)
    {
        if (_content is SafeFileHandle file)
        {
            RandomAccess.SetLength(file, (long)Length);
        }

        int joined = 0;
        foreach (MemoryRun run in written)
        {
            while (run.Start >= _runs[joined].End)
            {
                joined++;
            }

            ulong offset = _runs[joined].Offset + run.Start - _runs[joined].Start;
            for (ulong done = 0; done < run.Length; done += WriteStep)
            {
                ReadOnlySpan<byte> part = new(memory.Base + run.Start + done, (int)Math.Min(WriteStep, run.Length - done));
                if (_content is SafeFileHandle target)
                {
                    RandomAccess.Write(target, part, (long)(offset + done));
                }
                else
                {
                    ((Copy)_content).Write(offset + done, part);
                }
            }
        }

        if (_content is SafeFileHandle filled)
        {
            HostMemory.Seal(filled);
        }

        IsComplete = true;
    }

    /// <summary>Content on a host that shares nothing.</summary>
    private sealed class Copy : SafeHandleZeroOrMinusOneIsInvalid
    {
        private readonly ulong _length;

        public Copy(ulong length)
            : base(ownsHandle: true)
        {
            _length = length;
            SetHandle((nint)HostMemory.Reserve(length));
        }

        public void Write(ulong offset, ReadOnlySpan<byte> source) => source.CopyTo(new Span<byte>((byte*)handle + offset, source.Length));

        public void Read(ulong offset, byte* destination, ulong length)
        {
            bool isHeld = false;
            try
            {
                DangerousAddRef(ref isHeld);
                Buffer.MemoryCopy((byte*)handle + offset, destination, length, length);
            }
            finally
            {
                if (isHeld)
                {
                    DangerousRelease();
                }
            }
        }

        protected override bool ReleaseHandle()
        {
            HostMemory.Release((byte*)handle, _length);
            return true;
        }
    }
}
