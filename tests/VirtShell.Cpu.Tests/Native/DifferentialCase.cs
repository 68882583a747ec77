using System;
using System.Globalization;
using System.Text;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>One comparison: an instruction, the registers and the window that it starts from; readable and writable as a line of text.</summary>
internal sealed unsafe class DifferentialCase
{
    public const uint DefaultFlags = 0x202;
    public const uint DefaultMxcsr = 0x1F80;

    /// <summary>In front of the machine code of a row for 32-bit code.</summary>
    private const string NarrowMark = "32:";

    private static readonly string[] s_names =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    public DifferentialCase(in Instruction instruction)
    {
        Instruction = instruction;
        Bytes = DifferentialForms.Assemble(instruction) ?? throw new ArgumentException($"{instruction} has no encoding.", nameof(instruction));
        Image.Gpr[3] = DifferentialMemory.Operand;
        Image.Gpr[4] = DifferentialMemory.Stack;
        Image.Flags = DefaultFlags;
        Image.Mxcsr = DefaultMxcsr;
    }

    private DifferentialCase(byte[] bytes, in Instruction instruction, RegisterImage image, byte[] window)
    {
        Bytes = bytes;
        Instruction = instruction;
        Image = image;
        Window = window;
    }

    public Instruction Instruction { get; }

    /// <summary>32-bit code (compatibility mode).</summary>
    public bool IsNarrow => Instruction.CodeSize == CodeSize.Code32;

    public byte[] Bytes { get; }

    /// <summary>What the registers hold before.</summary>
    public RegisterImage Image;

    /// <summary>What the window holds before.</summary>
    public byte[] Window { get; } = new byte[DifferentialMemory.WindowSize];

    /// <summary>The case for a row: machine code (behind <c>32:</c> where it is 32-bit code), then <c>register=value</c>, <c>ymm0=</c> the whole vector, <c>m+8=</c> a quadword at an offset from the operand; all hexadecimal but register numbers and offsets. What is not named is 0, or its usual value.</summary>
    public static DifferentialCase Parse(string row)
    {
        string text = row.Split('#')[0];
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool narrow = words[0].StartsWith(NarrowMark, StringComparison.Ordinal);
        byte[] bytes = Convert.FromHexString(narrow ? words[0][NarrowMark.Length..] : words[0]);
        var decoder = Iced.Intel.Decoder.Create(narrow ? 32 : 64, bytes, DifferentialMemory.Rip);
        var result = new DifferentialCase(bytes, decoder.Decode(), default, new byte[DifferentialMemory.WindowSize]);
        result.Image.Gpr[3] = DifferentialMemory.Operand;
        result.Image.Gpr[4] = DifferentialMemory.Stack;
        result.Image.Flags = DefaultFlags;
        result.Image.Mxcsr = DefaultMxcsr;
        for (int i = 1; i < words.Length; i++)
        {
            int equals = words[i].IndexOf('=', StringComparison.Ordinal);
            result.Set(words[i][..equals], words[i][(equals + 1)..]);
        }

        return result;
    }

    /// <summary>The same state for machine code as it stands, whatever that decodes to.</summary>
    public DifferentialCase WithBytes(byte[] bytes)
    {
        // A prefix may make immediates longer or shorter.
        byte[] padded = [.. bytes, .. new byte[16 - Math.Min(bytes.Length, 15)]];
        Instruction decoded = Iced.Intel.Decoder.Create(IsNarrow ? 32 : 64, padded, DifferentialMemory.Rip).Decode();
        return new(decoded.IsInvalid ? bytes : padded[..decoded.Length], decoded, Image, (byte[])Window.Clone());
    }

    public DifferentialCase Clone() => new(Bytes, Instruction, Image, (byte[])Window.Clone());

    /// <summary>The same state for another instruction; null where it has no encoding.</summary>
    public DifferentialCase? With(in Instruction instruction) =>
        DifferentialForms.Assemble(instruction) is byte[] bytes ? new(bytes, instruction, Image, (byte[])Window.Clone()) : null;

    /// <summary>The row that <see cref="Parse"/> reads, with the instruction's text as a comment.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(IsNarrow ? NarrowMark : string.Empty).Append(Convert.ToHexString(Bytes));
        void Add(string name, ulong value, ulong usual)
        {
            if (value != usual)
            {
                text.Append(CultureInfo.InvariantCulture, $" {name}={value:X}");
            }
        }

        for (int i = 0; i < 16; i++)
        {
            Add(s_names[i], Image.Gpr[i], i switch { 3 => DifferentialMemory.Operand, 4 => DifferentialMemory.Stack, _ => 0 });
        }

        Add("flags", Image.Flags, DefaultFlags);
        Add("mxcsr", Image.Mxcsr, DefaultMxcsr);
        for (int i = 0; i < 16; i++)
        {
            string vector = string.Empty;
            for (int j = 3; j >= 0; j--)
            {
                vector += Quad((i * 4) + j).ToString("X16", CultureInfo.InvariantCulture);
            }

            vector = vector.TrimStart('0');
            if (vector.Length > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $" ymm{i}={vector}");
            }
        }

        for (int i = 0; i < 8; i++)
        {
            Add($"mm{i}", Image.Mm[i], 0);
        }

        for (int i = 0; i < DifferentialMemory.WindowSize; i += 8)
        {
            Add(string.Create(CultureInfo.InvariantCulture, $"m{i - DifferentialMemory.OperandOffset:+0;-0}"), BitConverter.ToUInt64(Window, i), 0);
        }

        return text.Append(CultureInfo.InvariantCulture, $" # {Instruction}").ToString();
    }

    private ulong Quad(int index)
    {
        fixed (byte* ymm = Image.Ymm)
        {
            return ((ulong*)ymm)[index];
        }
    }

    private void Set(string name, string value)
    {
        int register = Array.IndexOf(s_names, name);
        if (name.StartsWith("ymm", StringComparison.Ordinal))
        {
            string digits = value.PadLeft(64, '0');
            fixed (byte* ymm = Image.Ymm)
            {
                for (int j = 0; j < 4; j++)
                {
                    ((ulong*)ymm)[(int.Parse(name[3..], CultureInfo.InvariantCulture) * 4) + j] = Number(digits.Substring((3 - j) * 16, 16));
                }
            }
        }
        else if (name.StartsWith("mm", StringComparison.Ordinal))
        {
            Image.Mm[int.Parse(name[2..], CultureInfo.InvariantCulture)] = Number(value);
        }
        else if (name == "mxcsr")
        {
            Image.Mxcsr = (uint)Number(value);
        }
        else if (name == "flags")
        {
            Image.Flags = Number(value);
        }
        else if (register >= 0)
        {
            Image.Gpr[register] = Number(value);
        }
        else
        {
            int offset = int.Parse(name[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) + DifferentialMemory.OperandOffset;
            BitConverter.TryWriteBytes(Window.AsSpan(offset), Number(value));
        }
    }

    private static ulong Number(string value) => ulong.Parse(value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
