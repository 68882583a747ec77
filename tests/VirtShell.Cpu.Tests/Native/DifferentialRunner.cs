using System;
using System.Globalization;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Tests.Numerics;
using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Changes what the interpreter left, to see whether a comparison would notice.</summary>
internal unsafe delegate void Tamper(DifferentialCase test, RegisterImage* ours);

/// <summary>Runs an instruction from seeded states on the host's processor and in the interpreter, and compares everything they leave behind.</summary>
public sealed unsafe class DifferentialRunner : IDisposable
{
    private const uint ComparedFlags = Flags.Status | Flags.Direction | Flags.Interrupt | Flags.NestedTask | Flags.AlignmentCheck | Flags.Identification;
    private const uint AllMasked = 0x1F80;
    private const int ReportLimit = 4;

    /// <summary>LOCK, operand and address size, repeats, segments (not FS and GS, where the host keeps its thread); the last two are REX prefixes.</summary>
    private static readonly byte[] s_prefixes = [0xF0, 0x66, 0x67, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x48, 0x40];

    private readonly DifferentialMemory _memory = new();
    private readonly DifferentialGuest _guest = new();
    private readonly DifferentialHost? _host;
    private byte[] _placed = [];
    private bool _placedNarrow;
    private int _completed;

    public DifferentialRunner()
    {
        _host = NativeCode.IsSupported && _memory.IsAvailable ? new DifferentialHost(_memory) : null;
    }

    public void Dispose()
    {
        _host?.Dispose();
        _memory.Dispose();
        _guest.Dispose();
    }

    /// <summary>Compares one code in all its forms; <paramref name="accept"/> may allow a difference between two vector elements of 32 bits.</summary>
    internal void Compare(Code code, int cases, Func<uint, uint, bool>? accept = null, int bits = 64)
    {
        Require(code, bits);
        var samples = new FloatSamples(SoakCases.SeedFor(code.ToString()));
        var report = new StringBuilder();
        int failures = 0;
        _completed = 0;
        const int Forms = 2 * DifferentialForms.Variants;
        for (int form = 0; form < Forms; form++)
        {
            if (DifferentialForms.Encode(code, (form & 1) != 0, form >> 1, samples.Random, bits) is not Instruction instruction)
            {
                continue;
            }

            for (int i = 0; i < Math.Max(1, cases / Forms) && failures < ReportLimit; i++)
            {
                var test = new DifferentialCase(instruction);
                DifferentialValues.Fill(test, samples);
                // Twice: a signal of the host's system at the wrong moment may look like a difference.
                if (Evaluate(test, accept) is not null && Evaluate(test, accept) is not null)
                {
                    failures++;
                    DifferentialCase small = DifferentialShrinker.Shrink(test, c => Evaluate(c, accept) is not null);
                    report.AppendLine(small.ToString()).Append("   ").AppendLine(Evaluate(small, accept));
                }
            }
        }

        Assert.True(failures == 0, $"Rows for {DifferentialRegressionTests.FileName}:{Environment.NewLine}{report}");
        Assert.True(_completed > 0, $"Of {code} nothing was compared: no form could be encoded, or all of them fault.");
    }

    /// <summary>Compares a code with prefixes in front that it has no use for: other operand sizes, other registers, or #UD.</summary>
    internal void ComparePrefixes(Code code, int cases, int bits)
    {
        Require(code, bits);
        Skip.IfNot(_host!.MayFault, "Needs a host whose signal frames are known.");
        var samples = new FloatSamples(SoakCases.SeedFor("prefix " + code));
        var report = new StringBuilder();
        for (int i = 0; i < cases && report.Length == 0; i++)
        {
            if (DifferentialForms.Encode(code, samples.Coin(), samples.Random.Next(DifferentialForms.Variants), samples.Random, bits) is not Instruction instruction)
            {
                continue;
            }

            var test = new DifferentialCase(instruction);
            DifferentialValues.Fill(test, samples);
            byte prefix = s_prefixes[samples.Random.Next(bits == 64 ? s_prefixes.Length : s_prefixes.Length - 2)];
            DifferentialCase prefixed = test.WithBytes([prefix, .. test.Bytes]);
            if (ComparedForms.IsComparable(prefixed.Instruction) && Evaluate(prefixed) is not null && Evaluate(prefixed) is string difference)
            {
                report.AppendLine(prefixed.ToString()).Append("   ").AppendLine(difference);
            }
        }

        Assert.True(report.Length == 0, report.ToString());
    }

    /// <summary>Skips, by name, what this host cannot be asked.</summary>
    internal void Require(Code code, int bits)
    {
        NativeCode.RequireHost();
        Skip.If(_host is null, "Needs a Unix host with the addresses of the shared memory free.");
        Skip.IfNot(HostFeatures.Has(code), $"The host's processor lacks {code}.");
        Skip.IfNot(bits == 64 || _host!.HasNarrowCode, "Needs a host whose system runs 32-bit code segments.");
    }

    /// <summary>Null where host and interpreter agree, or the host cannot be asked; otherwise what differs.</summary>
    internal string? Evaluate(DifferentialCase test, Func<uint, uint, bool>? accept = null, Tamper? tamper = null)
    {
        byte* windowAfter = stackalloc byte[DifferentialMemory.WindowSize];
        RegisterImage after = default;
        bool narrow = test.IsNarrow;
        if (!test.Bytes.AsSpan().SequenceEqual(_placed) || narrow != _placedNarrow)
        {
            _placed = test.Bytes;
            _placedNarrow = narrow;
            _guest.Place(_placed);
            _host!.Place(_placed, narrow);
        }

        bool mayFault = _host!.MayFault;
        if (!mayFault && (test.Image.Mxcsr & AllMasked) != AllMasked)
        {
            return null;
        }

        *_memory.Before = test.Image;
        test.Window.CopyTo(new Span<byte>(_memory.Window, DifferentialMemory.WindowSize));
        ulong rip;
        fixed (byte* window = test.Window)
        {
            rip = _guest.Run(_memory.Before, window, &after, windowAfter, narrow);
        }

        // The guest has nothing but the window; what the host has elsewhere is no concern of this.
        if (_guest.Fault == Vector.PageFault || (_guest.Fault >= 0 && !mayFault))
        {
            return null;
        }

        bool mmx = DifferentialForms.UsesMmx(test.Instruction.Code);
        _host.Run(mmx, narrow);
        _completed++;
        SoakCases.NoteCompared();
        tamper?.Invoke(test, &after);
        return Difference(test.Instruction, rip, mmx, &after, windowAfter, accept);
    }

    private string? Difference(Instruction instruction, ulong rip, bool mmx, RegisterImage* ours, byte* windowAfter, Func<uint, uint, bool>? accept)
    {
        RegisterImage* host = _memory.After;
        HostControl* control = _memory.Control;
        bool narrow = instruction.CodeSize == CodeSize.Code32;
        var text = new StringBuilder();

        // A fault elsewhere is that of a fetch: the instruction itself went there.
        bool faulted = control->Vector is not HostControl.NoFault and var number && (control->FaultRip == DifferentialMemory.Rip || number is Vector.Overflow);
        int vector = faulted ? (int)control->Vector : -1;
        if (vector != _guest.Fault)
        {
            text.Append(CultureInfo.InvariantCulture, $" fault host {vector} ours {_guest.Fault};");
        }
        else if (!faulted)
        {
            Check(text, "RIP", control->Landed != 0 ? control->Landed : control->FaultRip, rip);
        }

        for (int i = 0; i < 16; i++)
        {
            // Upper halves are nobody's in 32-bit code.
            ulong compared = !narrow ? ulong.MaxValue : i < 8 ? uint.MaxValue : 0;
            Check(text, (Register.RAX + i).ToString(), host->Gpr[i] & compared, ours->Gpr[i] & compared);
        }

        uint defined = ComparedFlags & ~Undefined(instruction);
        Check(text, "flags", host->Flags & defined, ours->Flags & defined);
        Check(text, "MXCSR", host->Mxcsr, ours->Mxcsr);
        for (int i = 0; i < 16 * 8; i++)
        {
            uint theirs = ((uint*)host->Ymm)[i];
            uint mine = ((uint*)ours->Ymm)[i];
            if (theirs != mine && accept?.Invoke(theirs, mine) != true)
            {
                text.Append(CultureInfo.InvariantCulture, $" YMM{i / 8}[{i % 8}] host {theirs:X8} ours {mine:X8};");
            }
        }

        for (int i = 0; mmx && i < 8; i++)
        {
            Check(text, $"MM{i}", host->Mm[i], ours->Mm[i]);
        }

        for (int i = 0; i < DifferentialMemory.WindowSize / 8; i++)
        {
            Check(text, $"memory{(i * 8) - DifferentialMemory.OperandOffset:+0;-0}", ((ulong*)_memory.Window)[i], ((ulong*)windowAfter)[i]);
        }

        return text.Length == 0 ? null : text.ToString();
    }

    private static uint Undefined(Instruction instruction)
    {
        RflagsBits bits = instruction.RflagsUndefined;
        uint flags = 0;
        flags |= (bits & RflagsBits.CF) != 0 ? Flags.Carry : 0;
        flags |= (bits & RflagsBits.PF) != 0 ? Flags.Parity : 0;
        flags |= (bits & RflagsBits.AF) != 0 ? Flags.Adjust : 0;
        flags |= (bits & RflagsBits.ZF) != 0 ? Flags.Zero : 0;
        flags |= (bits & RflagsBits.SF) != 0 ? Flags.Sign : 0;
        flags |= (bits & RflagsBits.OF) != 0 ? Flags.Overflow : 0;
        return flags;
    }

    private static void Check(StringBuilder text, string name, ulong host, ulong ours)
    {
        if (host != ours)
        {
            text.Append(CultureInfo.InvariantCulture, $" {name} host {host:X} ours {ours:X};");
        }
    }
}
