using System;
using System.Collections.Generic;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// Calls, returns and changes of privilege that the translator makes in emitted code, often enough that its tables serve them:
/// both engines must leave the same.
/// </summary>
public sealed unsafe class EngineTransferTests
{
    private const ulong Function = 0xA000;
    private const ulong SystemEntry = SystemGuest.Code + 0x100;
    private const uint AllStatus = Flags.Status | Flags.Trap | Flags.Direction | Flags.Interrupt | Flags.AlignmentCheck | Flags.NestedTask;

    [Fact]
    public void A_call_that_ends_its_page_returns_to_the_next() => Compare(SystemGuest.Long, static guest =>
    {
        // The call's last byte is its page's.
        guest.Assemble(SystemGuest.UserCode - 5, static c => c.call(Function));
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.add(rbx, 3);
            c.dec(rcx);
            c.jnz(SystemGuest.UserCode - 5);
            c.hlt();
        });
        guest.Assemble(Function, static c =>
        {
            c.inc(rdx);
            c.ret();
        });
        guest.Run(static c =>
        {
            c.mov(ecx, 50);
            c.jmp(SystemGuest.UserCode - 5);
        });
        Assert.Equal(150UL, guest.State->Gpr[3]);
    });

    [Fact]
    public void A_return_may_go_where_no_call_has_been() => Compare(SystemGuest.Long, static guest =>
    {
        guest.Assemble(Function, static c =>
        {
            // A retpoline: the return address is replaced by RAX.
            Label set = c.CreateLabel();
            c.call(set);
            c.hlt();
            c.Label(ref set);
            c.mov(__[rsp], rax);
            c.ret();
        });
        guest.Assemble(Function + 0x80, static c =>
        {
            c.add(rbx, rcx);
            c.ret();
        });
        guest.Run(static c =>
        {
            Label top = c.CreateLabel();
            c.mov(ecx, 60);
            c.mov(rax, Function + 0x80);
            c.Label(ref top);
            c.call(Function);
            c.dec(ecx);
            c.jnz(top);
            c.hlt();
        });
        Assert.Equal(1830UL, guest.State->Gpr[3]);
    });

    [Theory]
    [InlineData(64)]
    [InlineData(32)]
    public void Deep_recursion_comes_back_and_a_long_jump_does_not(int bits) => Compare(bits == 64 ? SystemGuest.Long : SystemGuest.Protected, guest =>
    {
        guest.Assemble(Function, static c =>
        {
            Label end = c.CreateLabel();
            c.inc(ebx);
            c.cmp(ebx, edx);
            c.je(end);
            c.call(Function);
            c.inc(esi);
            c.Label(ref end);
            c.ret(8);
        });
        guest.State->Gpr[4] = 0x1F_0000;
        guest.Run(c =>
        {
            Label top = c.CreateLabel();
            c.mov(ecx, 4);
            c.Label(ref top);
            c.xor(ebx, ebx);
            c.mov(edx, 300);
            if (bits == 64)
            {
                c.mov(rbp, rsp);
                c.call(Function);
                c.mov(rsp, rbp);
            }
            else
            {
                c.mov(ebp, esp);
                c.call(Function);
                c.mov(esp, ebp);
            }

            c.dec(ecx);
            c.jnz(top);
            c.hlt();
        });
    });

    [Fact]
    public void A_return_sees_what_has_been_mapped_meanwhile() => Compare(SystemGuest.Long, static guest =>
    {
        const ulong Caller = SystemGuest.TestPage;
        guest.SetTestPage(3);
        guest.Assemble(Function, static c =>
        {
            // Turns the caller's page into the frame behind it, and back.
            c.xor(__qword_ptr[(long)SystemGuest.Tables + 0x5000], 0x1000);
            c.invlpg(__[(long)Caller]);
            c.ret();
        });
        void Put(ulong frame, int add)
        {
            ulong end = guest.Assemble(Caller, c =>
            {
                c.call(Function);
                c.add(ebx, add);
                c.dec(ecx);
                c.jnz(Caller);
                c.hlt();
            });
            byte[] code = new byte[end - Caller];
            guest.Memory.Read(Caller, code);
            guest.Memory.Write(frame, code);
        }

        Put(SystemGuest.TestFrame, 1);
        Put(SystemGuest.TestFrame + 0x1000, 100);
        guest.Run(static c =>
        {
            c.mov(ecx, 20);
            c.mov(rax, Caller);
            c.jmp(rax);
        });
        Assert.Equal(1010UL, guest.State->Gpr[3]);
    });

    public static TheoryData<uint, uint, ulong> SystemCalls => new()
    {
        // IA32_FMASK, flags that the kernel adds for SYSRET, and those of the caller.
        { AllStatus, 0, 0x202 },
        { AllStatus, Flags.Carry | Flags.Overflow, 0x202 },
        { Flags.Interrupt, Flags.Zero | Flags.Sign, 0x247 },
        { Flags.Status | Flags.Interrupt, 0, Flags.AlignmentCheck | 0x202 },
        { AllStatus, Flags.AlignmentCheck, 0x202 },
        { AllStatus | Flags.Fixed, Flags.Direction | Flags.IoplMask | Flags.Identification, 0x202 },
        { AllStatus, Flags.Resume | Flags.Virtual8086 | Flags.NestedTask, 0x202 },
        { 0, 0, 0x202 },
    };

    [Theory]
    [MemberData(nameof(SystemCalls))]
    public void System_calls_come_back_with_their_flags(uint mask, uint added, ulong flags) => Compare(SystemGuest.Long, guest =>
    {
        guest.State->MsrStar = ((ulong)SystemGuest.Data0 << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.State->MsrLstar = SystemEntry;
        guest.State->MsrFmask = mask;
        guest.Assemble(SystemEntry, c =>
        {
            c.mov(r15, rsp);
            c.mov(rsp, (long)SystemGuest.InnerStack);
            c.pushfq();
            c.pop(rax);
            c.add(rdi, rax);
            c.add(rdi, r11);
            c.setc(al);
            c.or(r11, (int)added);
            c.mov(rsp, r15);
            c.sysretq();
        });
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            Label top = c.CreateLabel();
            c.mov(ebp, 40);
            c.Label(ref top);
            c.cmp(ebp, 17);
            c.syscall();
            c.adc(rbx, 0);
            c.seto(dl);
            c.sets(dh);
            c.add(rsi, rdx);
            c.pushfq();
            c.pop(r12);
            c.add(r13, r12);
            c.dec(ebp);
            c.jnz(top);
            c.@int(0x30);
        });
        guest.EnterUser(SystemGuest.UserCode, (uint)flags);
        Assert.Equal(0x30, guest.Continue());
    });

    [Fact]
    public void A_return_to_a_non_canonical_address_faults_in_the_kernel() => Compare(SystemGuest.Long, static guest =>
    {
        guest.State->MsrStar = ((ulong)SystemGuest.Data0 << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.State->MsrLstar = SystemEntry;
        guest.State->MsrFmask = AllStatus;
        guest.Assemble(SystemEntry, static c =>
        {
            c.inc(ebx);
            c.cmp(ebx, 30);
            c.mov(rsp, (long)SystemGuest.InnerStack);
            Label back = c.CreateLabel();
            c.jb(back);
            c.btc(rcx, 47);
            c.Label(ref back);
            c.sysretq();
        });
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            Label top = c.CreateLabel();
            c.Label(ref top);
            c.syscall();
            c.jmp(top);
        });
        guest.EnterUser(SystemGuest.UserCode);
        Assert.Equal(Execution.Vector.GeneralProtection, guest.Continue());
        Assert.Equal(0u, guest.State->Cpl);
    });

    [Fact]
    public void User_pages_are_open_to_the_supervisor_between_stac_and_clac() => Compare(SystemGuest.Long, static guest =>
    {
        guest.SetTestPage(7);
        guest.MakeEverythingElseSupervisor();
        guest.State->Cr4 |= ControlBits.Cr4Smap;
        guest.Processor.UpdateMode();
        Assert.Equal(Execution.Vector.PageFault, guest.Run(static c =>
        {
            Label top = c.CreateLabel();
            c.mov(ecx, 30);
            c.Label(ref top);
            c.stac();
            c.inc(__dword_ptr[(long)SystemGuest.TestPage]);
            c.clac();
            c.dec(ecx);
            c.jnz(top);
            c.inc(__dword_ptr[(long)SystemGuest.TestPage]);
            c.hlt();
        }));
        Assert.Equal(30u, guest.Memory.ReadUInt32(SystemGuest.TestFrame));
    });

    [Fact]
    public void Vector_registers_outlive_whatever_leaves_emitted_code() => Compare(SystemGuest.Long, static guest =>
    {
        guest.State->Cr4 |= ControlBits.Cr4Osfxsr;
        guest.Run(static c =>
        {
            Label top = c.CreateLabel();
            c.mov(ebp, 40);
            c.mov(eax, 3);
            c.movd(xmm1, eax);
            c.movd(xmm9, eax);
            c.Label(ref top);
            c.paddd(xmm1, xmm9);

            // A call-out in the middle, a page that is touched first, a call, and SIMD after each.
            c.cpuid();
            c.pslldq(xmm9, 1);
            c.movd(__dword_ptr[(long)SystemGuest.Scratch], xmm1);
            c.por(xmm9, xmm1);
            c.mov(rax, cr2);
            c.pxor(xmm2, xmm9);
            c.dec(ebp);
            c.jnz(top);
            c.movq(rbx, xmm2);
            c.hlt();
        });
    });

    private static void Compare(Func<CpuModel, EngineKind?, SystemGuest> make, Action<SystemGuest> run)
    {
        List<string> states = [];
        foreach (EngineKind engine in new[] { EngineKind.Interpreter, EngineKind.Auto })
        {
            using SystemGuest guest = make(CpuModel.X86_64_V3, engine);
            run(guest);
            CpuState* s = guest.State;
            string general = string.Join(' ', new Span<ulong>(s->Gpr, 16).ToArray());
            string vectors = Convert.ToHexString(new ReadOnlySpan<byte>(CpuState.Vector(s, 0), 16 * 32));
            byte[] memory = new byte[0x30_0000];
            guest.Memory.Read(0, memory);
            states.Add($"{general} rip {s->Rip:X} flags {Flags.Get(s):X} cpl {s->Cpl} cs {s->Cs.Selector:X} {s->Cs.Attributes:X} ss {s->Ss.Selector:X} {s->Ss.Attributes:X} cr2 {s->Cr2:X} "
                + $"count {guest.Processor.InstructionsRetired} {vectors} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(memory))}");
        }

        Assert.Equal(states[0], states[1]);
    }
}
