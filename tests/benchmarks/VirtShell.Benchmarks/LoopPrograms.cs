using System;
using System.Collections.Generic;
using System.IO;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Benchmarks;

/// <summary>Endless 64-bit integer loops, assembled for one fixed address.</summary>
internal static class LoopPrograms
{
    /// <summary>Where the code is loaded and entered.</summary>
    public const ulong Entry = 0x100000;

    /// <summary>A megabyte of data for the loops.</summary>
    public const ulong Data = 0x200000;

    public static IReadOnlyList<(string Name, byte[] Code)> All =>
    [
        ("alu", Assemble(Alu)),
        ("memory sum", Assemble(MemorySum)),
        ("sieve", Assemble(Sieve)),
        ("call and return", Assemble(Calls)),
        ("bitwise crc32", Assemble(Crc)),
        ("bubble sort", Assemble(Sort)),
    ];

    private static byte[] Assemble(Action<Assembler> program)
    {
        Assembler a = new(64);
        program(a);
        using MemoryStream output = new();
        a.Assemble(new StreamCodeWriter(output), Entry);
        return output.ToArray();
    }

    private static void Alu(Assembler a)
    {
        Label loop = a.CreateLabel();
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
        a.jmp(loop);
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
        a.jmp(outer);
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
        a.jmp(outer);
    }

    private static void Calls(Assembler a)
    {
        Label loop = a.CreateLabel();
        Label function = a.CreateLabel();
        a.Label(ref loop);
        a.mov(edi, ecx);
        a.call(function);
        a.add(ecx, eax);
        a.jmp(loop);
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
        a.jmp(outer);
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
        a.jmp(outer);
    }
}
