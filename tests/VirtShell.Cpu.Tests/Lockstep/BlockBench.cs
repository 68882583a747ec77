using System;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Translation;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Translates a page's bytes and measures what came of them; nothing of it is run.</summary>
internal sealed unsafe class BlockBench : IDisposable
{
    private const ulong PageBytes = 2 * 4096;
    private readonly CodeMemory _memory = new(4 << 20);
    private readonly ExitTable _exits = new();
    private readonly BlockReader _reader = new(CpuFeatures.SupportedCodes(CpuModel.X86_64_V3), CpuFeatures.DecoderOptionsOf(CpuModel.X86_64_V3));
    private readonly BlockTranslator _translator;
    private readonly byte* _page = HostMemory.Reserve(PageBytes);
    private CodeWriter _start;

    public BlockBench()
    {
        _start.At = _memory.Writable;
        _start.Delta = (nint)(_memory.Executable - _memory.Writable);
        Stubs stubs = new(ref _start, 0, 0, 0, 0);
        _translator = new BlockTranslator(_reader, _exits, stubs);
    }

    /// <summary>The most that a block has taken since: instructions, bytes of host code, exit records.</summary>
    public (int Instructions, int Bytes, int Exits) Most { get; private set; }

    /// <summary>The family, effect on flags and operand of the first instruction: what decides how it is translated.</summary>
    public string Class(ReadOnlySpan<byte> code, int key)
    {
        Put(code);
        if (!_reader.Read(_page, 0, key))
        {
            return "none";
        }

        Item item = _reader.Items[0];
        string width = item.Family is Translation.Family.Exit or Translation.Family.CallOut ? "" : $"{item.Width}";
        return $"{item.Family} {item.Effect} {width} {item.MemorySize != 0} {item.StoresMemory} {item.Descriptor.IsSimd} {BlockReader.IsShiftByCl(in item)} {item.Instruction.Op0Kind}";
    }

    /// <summary>Translates the block at the page's start.</summary>
    public void Translate(ReadOnlySpan<byte> code, int key)
    {
        Put(code);
        if (!_reader.Read(_page, 0, key))
        {
            return;
        }

        if (!_exits.HasRoom)
        {
            _exits.Clear();
        }

        _exits.Take();
        int first = _exits.Next;
        CodeWriter writer = _start;
        TranslatedBlock block = default;
        _translator.Translate(ref writer, &block, _page, 0, 0, key);
        Most = (Math.Max(Most.Instructions, block.Instructions), Math.Max(Most.Bytes, (int)(writer.At - _start.At)), Math.Max(Most.Exits, _exits.Next - first));
        _exits.Cut(first);
    }

    public void Dispose()
    {
        _memory.Dispose();
        _exits.Dispose();
        HostMemory.Release(_page, PageBytes);
    }

    private void Put(ReadOnlySpan<byte> code)
    {
        Span<byte> page = new(_page, 4096);
        page.Fill(0x90);
        code.CopyTo(page);
    }
}
