using System;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>What emitted code calls: instructions of the interpreter, TLB misses, flags. No exception leaves any of it.</summary>
internal sealed unsafe partial class Translator
{
    // Runs the operations of a call; true where emitted code goes on behind them.
    private bool Call()
    {
        CpuState* s = _s;
        if (_masked)
        {
            s->Mxcsr = s->NativeMxcsr;
        }

        ref ExitRecord call = ref _exits[(int)s->ExitId];
        SettleFlags(call.Thunk, call.Partial);

        int count = call.OpCount;
        Op* first = OpsOf(ref call);
        Op* end = first + count;
        Op* op = first;

        _callOuts++;
        _calledOut += count;
        _calling = true;
        long flushes = _vcpu.Mmu.Flushes;
        do
        {
            s->CurrentOp = op;
            op = op->Handler(s, op);
        }
        while ((ulong)op > s->StopBelow && op != end);
        _calling = false;
        if (op == end && s->StopBelow == 0 && !_opsFull && _vcpu.Mmu.Flushes == flushes)
        {
            s->CurrentOp = null;
            s->NativeMxcsr = _masked ? s->Mxcsr : HostMxcsr;
            return true;
        }

        _vcpu.Settle(op);
        return false;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int CallOut(CpuState* s)
    {
        Vcpu vcpu = CpuState.Of(s);
        Translator self = vcpu.Translator;
        try
        {
            return self.Call() ? 0 : Stubs.Settled;
        }
        catch (GuestFault)
        {
            vcpu.AccountFault();
            self._deliver = true;
        }
#pragma warning disable CA1031 // Nothing may pass through emitted code; it is thrown again behind it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            self._failure = ExceptionDispatchInfo.Capture(e);
        }

        self._calling = false;
        return Stubs.Settled;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int MissRead(CpuState* s, ulong linear) => Miss(s, linear, write: false);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int MissWrite(CpuState* s, ulong linear) => Miss(s, linear, write: true);

    // 0: the access will succeed now. 1: emitted code leaves.
    private static int Miss(CpuState* s, ulong linear, bool write)
    {
        Translator self = CpuState.Of(s).Translator;
        try
        {
            ref ExitRecord exit = ref self._exits[(int)s->ExitId];
            if ((linear & 0xFFF) + exit.Size > 4096 || exit.Crosses)
            {
                // What crosses does not walk either: a walk may write to the instruction itself.
                return 1;
            }

            TlbEntry* entry = s->Tlb + ((linear >> 12) & Mem.TlbMask);
            ulong replaced = entry->Page;
            bool filled = self.Fill(ref exit, linear, write, out bool fault);

            // Only a page fault is the same whatever instruction asked; others are raised again by the interpreter.
            self._missFaulted = fault && self._vcpu.HasPendingPageFault;
            return filled && (entry->Page == replaced || !Reaches(s, exit.Windows, replaced)) ? 0 : 1;
        }
#pragma warning disable CA1031 // Nothing may pass through emitted code; the interpreter meets the same again.
        catch (Exception)
#pragma warning restore CA1031
        {
            return 1;
        }
    }

    // Whether later accesses of the block would go on using a page that is no longer in the TLB: they would have to walk for it.
    private static bool Reaches(CpuState* s, int windows, ulong page)
    {
        for (; windows != 0; windows &= windows - 1)
        {
            if ((s->Windows[System.Numerics.BitOperations.TrailingZeroCount(windows)] & ~0xFFFUL) == page)
            {
                return true;
            }
        }

        return false;
    }

    // The walk sets accessed and dirty bits. Where those are part of translated code, perhaps of the block that runs, it is left
    // behind the instruction, which still is what it was when it was fetched.
    private bool Fill(ref ExitRecord exit, ulong linear, bool write, out bool fault)
    {
        byte* code = _vcpu.Memory.Base + exit.PhysicalPage + exit.PageOffset;
        int length = Math.Min(15, 4096 - exit.PageOffset);
        Span<byte> before = stackalloc byte[15];
        new ReadOnlySpan<byte>(code, length).CopyTo(before);
        _missing = true;
        _droppedInMiss = false;
        bool filled = _vcpu.Mmu.TryFill(linear, write, out fault);
        _missing = false;
        if (!_droppedInMiss)
        {
            return filled;
        }

        Span<byte> after = stackalloc byte[15];
        new ReadOnlySpan<byte>(code, length).CopyTo(after);
        if (!after.SequenceEqual(before))
        {
            before[..length].CopyTo(new Span<byte>(code, length));
            OpsOf(ref exit);
            after[..length].CopyTo(new Span<byte>(code, length));
        }

        return false;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void SettleFlags(CpuState* s)
    {
        Translator self = CpuState.Of(s).Translator;
        try
        {
            ref ExitRecord call = ref self._exits[(int)s->ExitId];
            if (s->ExitId == ExitTable.IncomingFlags)
            {
                self.EmitSettle((int)s->FlagThunk);
                self.EmitSettle((int)(s->FlagPartial >> 2));
            }

            self.SettleFlags(call.Thunk, call.Partial);
            s->FlagImage = FlagImageFixed | Flags.GetStatus(s);
        }
#pragma warning disable CA1031 // Nothing may pass through emitted code; it is thrown again when that comes back.
        catch (Exception e)
#pragma warning restore CA1031
        {
            self._failure = ExceptionDispatchInfo.Capture(e);
            s->FlagImage = FlagImageFixed;
        }
    }
}
