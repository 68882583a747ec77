using System;
using System.Runtime.InteropServices;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>
/// Lets a compared instruction fault on the host: signal handlers that note the processor's exception and go on at
/// <see cref="HostControl.Recovery"/>, the registers as the exception found them. Every signal of another thread, or while
/// no instruction runs, goes to the handler that was there before.
/// </summary>
internal sealed unsafe class HostFaults : IDisposable
{
    // Linux x86-64, struct sigaction: handler, 128 bytes of mask, flags, restorer.
    private const int ActionSize = 152;

    // struct ucontext: registers at 40, of which RIP is number 16, CS the low word of number 18, the exception's vector number 20.
    private const int ContextRip = 40 + (16 * 8);
    private const int ContextSelectors = 40 + (18 * 8);
    private const int ContextVector = 40 + (20 * 8);

    /// <summary>SIGILL, SIGBUS, SIGFPE, SIGSEGV.</summary>
    private static readonly int[] s_signals = [4, 7, 8, 11];

    private readonly NativeCode? _handler;
    private readonly byte[][] _before = new byte[s_signals.Length][];
    private readonly nint[] _previous = new nint[16];
    private readonly GCHandle _pin;

    public HostFaults(DifferentialMemory memory)
    {
        _pin = GCHandle.Alloc(_previous, GCHandleType.Pinned);
        if (!memory.IsAvailable || !OperatingSystem.IsLinux())
        {
            return;
        }

        for (int i = 0; i < s_signals.Length; i++)
        {
            _before[i] = new byte[ActionSize];
            fixed (byte* old = _before[i])
            {
                _ = Action(s_signals[i], null, old);
            }

            _previous[s_signals[i]] = (nint)BitConverter.ToInt64(_before[i]);
            if ((ulong)_previous[s_signals[i]] <= 1)
            {
                // Nobody to pass a foreign signal on to.
                return;
            }
        }

        _handler = Assemble((ulong)(nint)memory.Control, (ulong)_pin.AddrOfPinnedObject());
        for (int i = 0; i < s_signals.Length; i++)
        {
            // Mask and flags stay those of the previous handler, which still gets most of them.
            byte[] action = (byte[])_before[i].Clone();
            BitConverter.TryWriteBytes(action, (long)(nint)_handler.Entry);
            fixed (byte* now = action)
            {
                _ = Action(s_signals[i], now, null);
            }
        }
    }

    /// <summary>False where the host's system is not one whose signal frames are known here.</summary>
    public bool IsAvailable => _handler is not null;

    public void Dispose()
    {
        if (_handler is not null)
        {
            for (int i = 0; i < s_signals.Length; i++)
            {
                fixed (byte* old = _before[i])
                {
                    _ = Action(s_signals[i], old, null);
                }
            }
        }

        // Another thread may be in the handler now: its page and its table stay until the process ends.
    }

    // Called as handler(number, information, context) by the C convention of System V.
    private static NativeCode Assemble(ulong control, ulong previous) => NativeCode.Assemble(c =>
    {
        Iced.Intel.Label foreign = c.CreateLabel();
        c.mov(rax, control);
        c.mov(rcx, __qword_ptr.fs[0]);
        c.cmp(rcx, __[rax + HostControl.ThreadOffset]);
        c.jne(foreign);
        c.mov(rcx, __[rdx + ContextVector]);
        c.mov(__[rax + HostControl.VectorOffset], rcx);
        c.mov(rcx, __[rdx + ContextRip]);
        c.mov(__[rax + HostControl.FaultRipOffset], rcx);
        c.mov(rcx, __[rax + HostControl.RecoveryOffset]);
        c.mov(__[rdx + ContextRip], rcx);
        c.mov(__word_ptr[rdx + ContextSelectors], DifferentialHost.Selector64);
        c.ret();
        c.Label(ref foreign);
        c.mov(rax, previous);
        c.jmp(__qword_ptr[rax + (rdi * 8)]);
    });

    [DllImport("libc", EntryPoint = "sigaction", ExactSpelling = true)]
    private static extern int Action(int signal, byte* now, byte* old);
}
