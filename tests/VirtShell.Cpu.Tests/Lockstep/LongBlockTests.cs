using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;
using Xunit;
using Xunit.Abstractions;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>
/// The longest blocks of one instruction or of two, for every form that there is: whatever a block may need of something of fixed size, these
/// need the most of it.
/// </summary>
public sealed class LongBlockTests(ITestOutputHelper output)
{
    /// <summary>Pairs translated for each key where not all of them are.</summary>
    private const int SampledPairs = 2000;
    private const int Vectors = TranslationKey.Sse | TranslationKey.Avx;
    private const int Flat = TranslationKey.FlatSegments | TranslationKey.BigStack;

    /// <summary>Code size, and the key of a translation.</summary>
    public static TheoryData<int, int> Keys => new()
    {
        { 64, (int)CodeMode.Bits64 | Vectors },
        { 64, (int)CodeMode.Bits64 | Vectors | TranslationKey.User },
        { 64, (int)CodeMode.Bits64 | Vectors | TranslationKey.User | TranslationKey.Strict },
        { 32, (int)CodeMode.Bits32 | Vectors | Flat },
        { 32, (int)CodeMode.Bits32 | Vectors | Flat | TranslationKey.User },
        { 32, (int)CodeMode.Bits32 | Vectors | TranslationKey.User | TranslationKey.Strict },
        { 32, (int)CodeMode.Bits32Limited | Vectors },
        { 16, (int)CodeMode.Bits16 | Vectors },
        { 16, (int)CodeMode.Bits16 | Vectors | TranslationKey.User },
    };

    [SkippableTheory]
    [MemberData(nameof(Keys))]
    public void Every_instruction_fills_a_block(int bits, int key)
    {
        Skip.IfNot(CodeMemory.IsUsable, "The translator does not run on this host.");
        using BlockBench bench = new();
        List<string> failures = [];
        foreach (BlockForm form in BlockForms.Of(bits))
        {
            Try(bench, key, failures, form.ToString(), [form.Bytes]);
        }

        Conclude(bench, bits, key, BlockForms.Of(bits).Length, failures);
    }

    [SkippableTheory]
    [MemberData(nameof(Keys))]
    public void Every_two_instructions_fill_a_block(int bits, int key)
    {
        Skip.IfNot(CodeMemory.IsUsable, "The translator does not run on this host.");
        using BlockBench bench = new();
        List<string> failures = [];

        // One of each kind that is translated in the same way.
        BlockForm[] kinds = [.. BlockForms.Of(bits).GroupBy(f => bench.Class(f.Bytes, key)).Select(static g => g.First())];
        long all = (long)kinds.Length * kinds.Length;
        long step = Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "lockstep" ? 1 : Math.Max(1, all / SampledPairs) | 1;
        for (long i = 0; i < all; i += step)
        {
            (BlockForm a, BlockForm b) = (kinds[i / kinds.Length], kinds[i % kinds.Length]);
            Try(bench, key, failures, $"{a}; {b}", [a.Bytes, b.Bytes]);
        }

        Conclude(bench, bits, key, all / step, failures);
    }

    // Straight on; and as loops of all lengths that are translated differently, which have their instructions twice or three times.
    private static void Try(BlockBench bench, int key, List<string> failures, string name, byte[][] forms)
    {
        try
        {
            bench.Translate(Repeat(forms, BlockReader.MaxItems, []), key);
            bench.Translate(Loop(forms, BlockReader.MaxItems, key), key);
            bench.Translate(Loop(forms, 16, key), key);
        }
        catch (Exception e) when (e is InvalidOperationException or IndexOutOfRangeException or ArgumentException or OverflowException or NullReferenceException)
        {
            failures.Add($"{name}: {e.Message}");
        }
    }

    private static byte[] Repeat(byte[][] forms, int count, byte[] before) =>
        [.. before, .. Enumerable.Range(0, count).SelectMany(i => forms[i % forms.Length])];

    // CMP AX or EAX with itself, the instructions, JNE to the start.
    private static byte[] Loop(byte[][] forms, int count, int key)
    {
        byte[] body = Repeat(forms, count - 2, [0x39, 0xC0]);
        bool narrow = (key & TranslationKey.ModeMask) == (int)CodeMode.Bits16;
        byte[] distance = BitConverter.GetBytes(-(body.Length + (narrow ? 4 : 6)));
        return [.. body, 0x0F, 0x85, .. distance[..(narrow ? 2 : 4)]];
    }

    private void Conclude(BlockBench bench, int bits, int key, long count, List<string> failures)
    {
        output.WriteLine($"{bits}-bit code, key {key:X2}: {count} of them; at most {bench.Most.Instructions} instructions, {bench.Most.Bytes} bytes and {bench.Most.Exits} exits in a block");
        Assert.True(failures.Count == 0, string.Join('\n', failures.Take(20)));
        Assert.Equal(BlockReader.MaxItems, bench.Most.Instructions);
    }
}
