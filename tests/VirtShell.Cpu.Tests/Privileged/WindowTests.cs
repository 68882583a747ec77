using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Accesses that a translation checks once for several, where the page goes from the TLB in between.</summary>
public sealed unsafe class WindowTests
{
    private const ulong Accessed = 1 << 5;
    private const ulong Rights = 7;

    /// <summary>Linear pages so far apart have the same place in the TLB.</summary>
    private const ulong TlbSpan = 16 << 20;
    private const ulong OtherTable = SystemGuest.Tables + 0x6000;

    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_page_that_is_driven_out_is_walked_for_again(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.SetTestPage(Rights);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2000 + ((SystemGuest.TestPage + TlbSpan) >> 21 << 3), OtherTable | Rights);
        guest.Memory.WriteUInt64(OtherTable, (SystemGuest.TestFrame + 0x1000) | Rights);
        guest.Memory.WriteUInt64(SystemGuest.TestFrame + 8, 0x1122_3344_5566_7788);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(rbx, SystemGuest.TestPage);
            c.mov(rsi, SystemGuest.TestPage + TlbSpan);
            c.mov(rdi, SystemGuest.Tables + 0x5000);
            c.mov(rax, __[rbx]);
            c.and(__byte_ptr[rdi], unchecked((sbyte)~Accessed));
            c.mov(rcx, __[rsi]);
            c.mov(rdx, __[rbx + 8]);
            c.hlt();
        }));
        Assert.Equal(0x1122_3344_5566_7788UL, guest.State->Gpr[2]);
        Assert.Equal(Accessed, guest.TestEntry & Accessed);
    }

    /// <summary>The copy's first element changes the mapping of its source, whose page the destination's has driven out.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_repeated_copy_walks_again_for_its_source(EngineKind engine)
    {
        const ulong Other = SystemGuest.TestFrame + 0x2000;
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.SetTestPage(Rights);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2000 + ((SystemGuest.TestPage + TlbSpan) >> 21 << 3), OtherTable | Rights);
        guest.Memory.WriteUInt64(OtherTable, (SystemGuest.Tables + 0x5000) | Rights);
        guest.Memory.WriteUInt64(SystemGuest.TestFrame, Other | Rights);
        guest.Memory.WriteUInt64(SystemGuest.TestFrame + 8, 0);
        guest.Memory.WriteUInt64(Other + 8, 0x1234_5000);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(rsi, SystemGuest.TestPage);
            c.mov(rdi, SystemGuest.TestPage + TlbSpan);
            c.mov(ecx, 2);
            c.rep.movsq();
            c.hlt();
        }));
        Assert.Equal(Other | Rights | Accessed, guest.TestEntry);
        Assert.Equal(0x1234_5000UL, guest.Memory.ReadUInt64(SystemGuest.Tables + 0x5008));
    }
}
