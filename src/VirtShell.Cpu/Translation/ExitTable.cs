using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>Exit records and flag thunks of everything translated, by number. Bounded; emptied with the code.</summary>
internal sealed unsafe class ExitTable : IDisposable
{
    /// <summary>The record that stands for the flags which the block before has left word of.</summary>
    public const int IncomingFlags = 0;

    /// <summary>The number of <see cref="FlagThunk.Folded"/>.</summary>
    public const int FoldedFlags = 2;

    private const int Capacity = 1 << 20;
    private const int MaxThunks = 1 << 20;

    /// <summary>Records and thunks that one block may take.</summary>
    private const int BlockRoom = 1024;
    private readonly GrowingMemory _memory = new((ulong)Capacity * (ulong)sizeof(ExitRecord), largePages: true);
    private readonly ExitRecord* _records;
    private readonly nint* _settles = (nint*)HostMemory.Reserve((ulong)MaxThunks * (ulong)sizeof(nint));
    private FlagThunk[] _thunks = new FlagThunk[256];

    // Numbers of thunks, each at the first place free from its hash on; 0: none. Twice as many places as thunks.
    private int[] _thunkNumbers = new int[512];
    private int _next;
    private int _thunkCount;

    public ExitTable()
    {
        _records = (ExitRecord*)_memory.Start;
        Clear();
    }

    /// <summary>Whether a block's worth of records still fits.</summary>
    public bool HasRoom => _next + BlockRoom < Capacity && _thunkCount + BlockRoom < MaxThunks;

    /// <summary>Says that a block's records are about to be added.</summary>
    public void Take() => _memory.Take(_records + _next + BlockRoom);

    public ref ExitRecord this[int id] => ref _records[id];

    /// <summary>The number that <see cref="Add"/> gives next.</summary>
    public int Next => _next;

    public int Add() => _next++;

    /// <summary>For each thunk the routine that puts its flags into RFLAGS.</summary>
    public nint SettleTable => (nint)_settles;

    /// <summary>Routine of the thunks that have none of their own.</summary>
    public nint SlowSettle { get; set; }

    /// <summary>Routine of <see cref="FlagThunk.Canonical"/>.</summary>
    public nint CanonicalSettle { get; set; }

    public bool HasSettle(int thunk) => _settles[thunk] != SlowSettle;

    public void SetSettle(int thunk, nint routine) => _settles[thunk] = routine;

    public ref readonly FlagThunk Thunk(int index) => ref _thunks[index];

    /// <summary>Number of a flag thunk; 0 is <see cref="FlagThunk.Canonical"/>, 1 <see cref="FlagThunk.Incoming"/>.</summary>
    public int ThunkIndex(in FlagThunk thunk)
    {
        if (thunk.Kind is FlagKind.Canonical or FlagKind.Incoming)
        {
            return thunk.Kind == FlagKind.Canonical ? 0 : 1;
        }

        int place = Find(in thunk);
        int index = _thunkNumbers[place];
        if (index == 0)
        {
            index = _thunkCount++;
            _thunks[index] = thunk;
            _settles[index] = SlowSettle;
            _thunkNumbers[place] = index;
            if (_thunkCount == _thunks.Length)
            {
                Grow();
            }
        }

        return index;
    }

    public void Clear()
    {
        _next = IncomingFlags + 1;
        _records[IncomingFlags] = default;
        _records[IncomingFlags].Thunk = 1;
        Array.Clear(_thunkNumbers);
        _thunks[0] = FlagThunk.Canonical;
        _thunks[1] = FlagThunk.Incoming;
        _thunks[FoldedFlags] = FlagThunk.Folded;
        _thunkCount = FoldedFlags + 1;
        _settles[0] = CanonicalSettle;
        _settles[1] = SlowSettle;
        _settles[FoldedFlags] = SlowSettle;
    }

    private int Find(in FlagThunk thunk)
    {
        int place = (int)(thunk.Hash & (uint)(_thunkNumbers.Length - 1));
        while (_thunkNumbers[place] != 0 && !_thunks[_thunkNumbers[place]].Is(in thunk))
        {
            place = (place + 1) & (_thunkNumbers.Length - 1);
        }

        return place;
    }

    private void Grow()
    {
        Array.Resize(ref _thunks, _thunks.Length * 2);
        _thunkNumbers = new int[_thunks.Length * 2];
        for (int i = FoldedFlags + 1; i < _thunkCount; i++)
        {
            _thunkNumbers[Find(in _thunks[i])] = i;
        }
    }

    /// <summary>Host memory that it takes, in bytes. From any thread.</summary>
    public ulong ResidentBytes() =>
        _memory.ResidentBytes() + HostMemory.Resident((byte*)_settles, (ulong)MaxThunks * (ulong)sizeof(nint)) + ((ulong)_thunks.Length * (ulong)sizeof(FlagThunk)) + ((ulong)_thunkNumbers.Length * sizeof(int));

    public void Dispose()
    {
        _memory.Dispose();
        HostMemory.Release((byte*)_settles, (ulong)MaxThunks * (ulong)sizeof(nint));
    }
}
