using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>FS and GS of an inner level when a return leads to an outer one; ARPL to what it cannot write.</summary>
public sealed unsafe class ReturnedSegmentTests
{
    private const ulong Base = SystemGuest.Scratch - 0x100;
    private const uint Value = 0x1234_5678;

    /// <summary>Their selectors become null; 64-bit code goes on using the bases, which follow from no selector.</summary>
    [Theory]
    [InlineData(true, 64, -1)]
    [InlineData(false, 64, -1)]
    [InlineData(true, 32, Vector.GeneralProtection)]
    [InlineData(false, 32, Vector.GeneralProtection)]
    public void In_64_bit_mode_the_bases_of_fs_and_gs_stay(bool iret, int bits, int vector)
    {
        using SystemGuest guest = SystemGuest.Long();
        ushort code = bits == 64 ? SystemGuest.Code3 : (ushort)(SystemGuest.Code1632 | 3);
        guest.Memory.WriteUInt32(SystemGuest.Scratch, Value);
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.db(0x65, 0x8B, 0x03); // mov eax, gs:[rbx] or [ebx]
            c.db(0x64, 0x8B, 0x0B); // mov ecx, fs:[rbx] or [ebx]
            c.@int(0x30);
        });
        guest.Assemble(SystemGuest.Code, c =>
        {
            c.mov(eax, SystemGuest.Data0);
            c.mov(fs, ax);
            c.mov(gs, ax);
            c.mov(edx, 0);
            c.mov(eax, (int)Base);
            c.mov(ecx, unchecked((int)0xC000_0100));
            c.wrmsr();
            c.inc(ecx);
            c.wrmsr();
            c.mov(ebx, 0x100);
            c.push(SystemGuest.Data3);
            c.push((int)SystemGuest.UserStack);
            if (iret)
            {
                c.push(0x202);
            }

            c.push(code);
            c.push((int)SystemGuest.UserCode);
            if (iret)
            {
                c.iretq();
            }
            else
            {
                c.db(0x48, 0xCB); // retfq
            }
        });
        guest.State->Rip = SystemGuest.Code;
        Assert.Equal(vector < 0 ? 0x30 : vector, guest.Continue());
        Assert.Equal((0, 0), (guest.State->Fs.Selector, guest.State->Gs.Selector));
        Assert.Equal((Base, Base), (guest.State->Fs.Base, guest.State->Gs.Base));
        if (vector < 0)
        {
            Assert.Equal((Value, Value), ((uint)guest.State->Gpr[0], (uint)guest.State->Gpr[1]));
        }
    }

    [Fact]
    public void In_32_bit_mode_nothing_of_them_stays()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, Base, 0xFFFFF, 0xC093);
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.mov(eax, SystemGuest.Spare);
            c.mov(gs, ax);
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(2);
        guest.State->Gpr[3] = 0x100;
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c => c.db(0x65, 0x8B, 0x03)));
        Assert.Equal((0, 0UL), (guest.State->Gs.Selector, guest.State->Gs.Base));
    }

    /// <summary>The destination's selector: RPL 3 needs no change, RPL 0 does.</summary>
    [Theory]
    [InlineData(3, false)]
    [InlineData(0, true)]
    public void Arpl_writes_only_what_it_adjusts(ushort selector, bool adjusts)
    {
        // A page that is read-only for everybody.
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(5);
        guest.Memory.WriteUInt16(SystemGuest.TestFrame, selector);
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.mov(eax, SystemGuest.Data3);
            c.mov(ds, ax);
            c.arpl(__word_ptr[(int)SystemGuest.TestPage], ax);
            c.@int(0x30);
        }, bits: 32);
        guest.EnterUser(SystemGuest.UserCode, code: SystemGuest.Code1632 | 3);
        Assert.Equal(adjusts ? Vector.PageFault : 0x30, guest.Continue());
        if (adjusts)
        {
            Assert.Equal(7UL, guest.Stack(0));
        }

        // A segment that is.
        using SystemGuest segmented = SystemGuest.Protected();
        segmented.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC091);
        segmented.Memory.WriteUInt16(SystemGuest.Scratch, selector);
        Assert.Equal(adjusts ? Vector.GeneralProtection : 0x30, segmented.Run(static c =>
        {
            c.mov(eax, SystemGuest.Spare);
            c.mov(es, ax);
            c.mov(ax, 3);
            c.arpl(__word_ptr.es[(int)SystemGuest.Scratch], ax);
            c.@int(0x30);
        }));
        Assert.Equal(selector, segmented.Memory.ReadUInt16(SystemGuest.Scratch));
    }
}
