using System;

namespace VirtShell.Cpu.Translation;

/// <summary>Making translations, and what happens when that fails.</summary>
internal sealed unsafe partial class Translator
{
    /// <summary>Guest code bytes in the text of a failure.</summary>
    private const int ShownBytes = 64;

    /// <summary>The block that is being translated, and where its exit records begin.</summary>
    private TranslatedBlock* _begun;
    private int _begunExits;

    /// <summary>Whether emitted code is to learn to settle flags by itself; not any more once that has failed.</summary>
    private bool _emitsSettle = true;

    /// <summary>What went wrong when a translation failed for the first time; null where none has.</summary>
    public string? FirstFailure { get; private set; }

    /// <summary>Where tests have translations fail: see <see cref="BlockTranslator.Emitting"/>.</summary>
    public Action<int>? Emitting
    {
        get => _translator.Emitting;
        set => _translator.Emitting = value;
    }

    /// <summary>The block at an address, translated if need be; null where the interpreter is to execute it.</summary>
    private TranslatedBlock* Block(ulong linear, ulong physical, int key)
    {
        TranslatedBlock* block = _cache.Find(physical, key);
        block = block != null ? block : Translate(linear, physical, key);
        return block != null && !block->IsFailed ? block : null;
    }

    /// <summary>Translates the block at an address if it has become warm, and its first instruction does not cross into another page.</summary>
    private TranslatedBlock* Translate(ulong linear, ulong physical, int key)
    {
        ulong page = physical & ~0xFFFUL;
        ulong place = TranslationCache.KeyOf(physical, key);
        ref ulong crossing = ref _crossings[(int)((place ^ (place >> 16)) & (Crossings - 1))];
        if (crossing == place + 1 && (++_crossingsMet & CrossingsTrusted) != 0)
        {
            return null;
        }

        ref byte heat = ref _heat[(int)((physical ^ (physical >> 16)) & 0xFFFF)];
        if (heat < byte.MaxValue)
        {
            heat++;
        }

        if (heat < (_cache.Drops(page) > RestlessDrops ? RestlessWarm : _vcpu.TranslationThreshold))
        {
            return null;
        }

        // A copy: what is emitted is what was looked at, whoever writes to the page meanwhile.
        byte* code = _page;
        new ReadOnlySpan<byte>(_vcpu.Memory.Base + page, 4096).CopyTo(new Span<byte>(code, 4096));
        int start = (int)(linear & 0xFFF);
        _begun = null;
        try
        {
            bool crosses = !_reader.Read(code, start, key);
            if (crosses && !BlockTranslator.HasLookUp(key))
            {
                crossing = place + 1;
                return null;
            }

            TranslatedBlock* block = NewBlock();
            if (crosses)
            {
                _translator.EmitGateway(ref _writer, block, code, page, start, key);
            }
            else
            {
                _translator.Translate(ref _writer, block, code, page, start, key);
            }

            Register(block);
            return block;
        }
#pragma warning disable CA1031 // Whatever is wrong with the translator is no fault of the guest.
        catch (Exception e) when (e is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            return Fail(e, page, start, key, 0);
        }
    }

    // The instruction at an address, which ends in another page; null where it is the interpreter's.
    private TranslatedBlock* TranslateCrossing(ulong physical, ulong second, int key)
    {
        ulong page = physical & ~0xFFFUL;
        if (_cache.Drops(page) > RestlessDrops || _cache.Drops(second) > RestlessDrops)
        {
            return null;
        }

        byte* code = _page;
        new ReadOnlySpan<byte>(_vcpu.Memory.Base + page, 4096).CopyTo(new Span<byte>(code, 4096));
        new ReadOnlySpan<byte>(_vcpu.Memory.Base + second, BlockReader.LongestInstruction).CopyTo(new Span<byte>(code + 4096, BlockReader.LongestInstruction));
        int start = (int)(physical & 0xFFF);
        _begun = null;
        try
        {
            if (!_reader.ReadCrossing(code, start, key))
            {
                return null;
            }

            int end = _reader.Items[0].End - 4096;
            TranslatedBlock* block = NewBlock();
            block->Kind = BlockKind.Crossing;
            block->SecondPage = second;
            _translator.Translate(ref _writer, block, code, page, start, key);
            Register(block);
            CoverSecond(block, end);
            return block;
        }
#pragma warning disable CA1031 // Whatever is wrong with the translator is no fault of the guest.
        catch (Exception e) when (e is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            return Fail(e, page, start, key, second);
        }
    }

    private void CoverSecond(TranslatedBlock* block, int end)
    {
        _cache.CoverSecond(block, end);
        _vcpu.Memory.WatchCode(block->SecondPage);
    }

    /// <summary>
    /// Translating a block has failed: a fault of ours. Its place is taken by one without code, which the interpreter executes until a store
    /// changes the guest's code there.
    /// </summary>
    private TranslatedBlock* Fail(Exception failure, ulong page, int start, int key, ulong second)
    {
        if (_begun != null)
        {
            // What was emitted lies where the next block will.
            _exits.Cut(_begunExits);
        }

        TranslatedBlock* block = _begun != null ? _begun : NewBlock();
        *block = new TranslatedBlock
        {
            IsFailed = true,
            PhysicalPage = page,
            Start = (short)start,
            Low = (short)start,
            End = 4096,
            Key = (byte)key,
        };
        _begun = null;
        if (second != 0)
        {
            block->Kind = BlockKind.Crossing;
            block->SecondPage = second;
        }

        _ = _cache.Add(block);
        _vcpu.Memory.WatchCode(page);
        if (second != 0)
        {
            CoverSecond(block, BlockReader.LongestInstruction);
        }

        NoteFailure(failure, $"the block at {page + (ulong)start:X} (key {key:X2}, bytes {Convert.ToHexString(new ReadOnlySpan<byte>(_page + start, Math.Min(ShownBytes, 4096 - start)))})");
        return block;
    }

    private void NoteFailure(Exception failure, string what)
    {
        _statistics = _statistics with { TranslationFailures = _statistics.TranslationFailures + 1 };
        FirstFailure ??= $"Translating {what} has failed. {failure}";
    }

    // A block without content, and room for the code of one.
    private TranslatedBlock* NewBlock()
    {
        if (_writer.At + BlockTranslator.MaxBytes > CodeEnd || !_exits.HasRoom || !_cache.HasRoom || _nextOp + 1024 > MaxOps - SpareOps)
        {
            Flush();
        }

        _memory.Take(_writer.At + BlockTranslator.MaxBytes);
        _exits.Take();
        _begunExits = _exits.Next;
        _begun = _cache.New();
        return _begun;
    }

    private void Register(TranslatedBlock* block)
    {
        bool again = _cache.Add(block);
        _begun = null;
        _vcpu.Memory.WatchCode(block->PhysicalPage);
        _statistics = _statistics with
        {
            BlocksTranslated = _statistics.BlocksTranslated + 1,
            Retranslations = _statistics.Retranslations + (again ? 1 : 0),
            TranslatedGuestInstructions = _statistics.TranslatedGuestInstructions + block->Instructions,
            TranslatedBytes = _statistics.TranslatedBytes + block->CodeBytes,
        };
    }
}
