using System;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Bench.Loops;

/// <summary>
/// A 64-bit integer loop: R15 counts its rounds down, then it returns. With a count that is never used up it is endless.
/// </summary>
/// <param name="Name">Its name.</param>
/// <param name="Emit">Writes its code.</param>
/// <param name="Rounds">As many rounds as make about 100 million instructions.</param>
internal sealed record LoopProgram(string Name, Action<Assembler> Emit, long Rounds);

/// <summary>The loops. They use RAX to RDX, RSI, RDI, R8, R15 and a little stack.</summary>
internal static class LoopPrograms
{
    /// <summary>A megabyte of data for the loops.</summary>
    public const ulong Data = 0x200000;

    /// <summary>Top of the stack that the loops expect.</summary>
    public const ulong StackTop = 0x400000;

    public static IReadOnlyList<LoopProgram> All { get; } =
    [
        new("alu", Alu, 150),
        new("memory sum", MemorySum, 300),
        new("sieve", Sieve, 80),
        new("call and return", Calls, 9_000_000),
        new("bitwise crc32", Crc, 450_000),
        new("bubble sort", Sort, 350),
    ];

    /// <summary>The machine code of one loop for a fixed address.</summary>
    public static byte[] Assemble(LoopProgram program, ulong address)
    {
        Assembler a = new(64);
        program.Emit(a);
        using MemoryStream output = new();
        a.Assemble(new StreamCodeWriter(output), address);
        return output.ToArray();
    }

    // The end of a loop's round.
    private static void Again(Assembler a, Label outer)
    {
        a.dec(r15);
        a.jne(outer);
        a.ret();
    }

    private static void Alu(Assembler a)
    {
        Label outer = a.CreateLabel();
        Label loop = a.CreateLabel();
        a.Label(ref outer);
        a.mov(ecx, -65536);
        a.Label(ref loop);
        a.lea(ebx, __[rax + (rcx * 2) + 7]);
        a.xor(eax, ebx);
        a.rol(eax, 5);
        a.add(edx, eax);
        a.imul(esi, edx, 31);
        a.and(esi, 0xFFFF);
        a.sub(eax, esi);
        a.inc(ecx);
        a.test(ecx, ecx);
        a.jne(loop);
        Again(a, outer);
    }

    private static void MemorySum(Assembler a)
    {
        Label outer = a.CreateLabel();
        Label loop = a.CreateLabel();
        a.Label(ref outer);
        a.mov(rsi, Data);
        a.mov(ecx, 65536);
        a.Label(ref loop);
        a.add(rax, __qword_ptr[rsi]);
        a.mov(__qword_ptr[rsi], rax);
        a.add(rsi, 8);
        a.dec(ecx);
        a.jne(loop);
        Again(a, outer);
    }

    private static void Sieve(Assembler a)
    {
        Label outer = a.CreateLabel();
        Label clear = a.CreateLabel();
        Label next = a.CreateLabel();
        Label mark = a.CreateLabel();
        Label skip = a.CreateLabel();
        a.Label(ref outer);
        a.mov(rdi, Data);
        a.xor(ecx, ecx);
        a.Label(ref clear);
        a.mov(__byte_ptr[rdi + rcx], 0);
        a.inc(ecx);
        a.cmp(ecx, 65536);
        a.jb(clear);
        a.mov(ebx, 2);
        a.Label(ref next);
        a.cmp(__byte_ptr[rdi + rbx], 0);
        a.jne(skip);
        a.lea(ecx, __[rbx + rbx]);
        a.Label(ref mark);
        a.cmp(ecx, 65536);
        a.jae(skip);
        a.mov(__byte_ptr[rdi + rcx], 1);
        a.add(ecx, ebx);
        a.jmp(mark);
        a.Label(ref skip);
        a.inc(ebx);
        a.cmp(ebx, 65536);
        a.jb(next);
        Again(a, outer);
    }

    private static void Calls(Assembler a)
    {
        Label loop = a.CreateLabel();
        Label function = a.CreateLabel();
        a.Label(ref loop);
        a.mov(edi, ecx);
        a.call(function);
        a.add(ecx, eax);
        Again(a, loop);
        a.Label(ref function);
        a.push(rbx);
        a.mov(ebx, edi);
        a.lea(eax, __[rbx + 1]);
        a.pop(rbx);
        a.ret();
    }

    private static void Crc(Assembler a)
    {
        Label outer = a.CreateLabel();
        Label loop = a.CreateLabel();
        Label even = a.CreateLabel();
        a.Label(ref outer);
        a.mov(ecx, 32);
        a.Label(ref loop);
        a.mov(ebx, eax);
        a.shr(eax, 1);
        a.test(bl, 1);
        a.je(even);
        a.xor(eax, unchecked((int)0xEDB88320));
        a.Label(ref even);
        a.dec(ecx);
        a.jne(loop);
        a.add(eax, 12345);
        Again(a, outer);
    }

    private static void Sort(Assembler a)
    {
        Label outer = a.CreateLabel();
        Label fill = a.CreateLabel();
        Label pass = a.CreateLabel();
        Label inner = a.CreateLabel();
        Label ordered = a.CreateLabel();
        a.mov(rdi, Data);
        a.Label(ref outer);
        a.xor(ecx, ecx);
        a.Label(ref fill);
        a.imul(edx, edx, 1103515245);
        a.add(edx, 12345);
        a.mov(__dword_ptr[rdi + (rcx * 4)], edx);
        a.inc(ecx);
        a.cmp(ecx, 256);
        a.jb(fill);
        a.mov(r8d, 255);
        a.Label(ref pass);
        a.xor(ecx, ecx);
        a.Label(ref inner);
        a.mov(eax, __dword_ptr[rdi + (rcx * 4)]);
        a.mov(ebx, __dword_ptr[rdi + (rcx * 4) + 4]);
        a.cmp(eax, ebx);
        a.jle(ordered);
        a.mov(__dword_ptr[rdi + (rcx * 4)], ebx);
        a.mov(__dword_ptr[rdi + (rcx * 4) + 4], eax);
        a.Label(ref ordered);
        a.inc(ecx);
        a.cmp(ecx, r8d);
        a.jb(inner);
        a.dec(r8d);
        a.jne(pass);
        Again(a, outer);
    }
}
