using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Privileged;
using VirtShell.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Memory;

/// <summary>Memories that begin with one image and share its pages: none ever sees what another writes.</summary>
public sealed unsafe class SharedMemoryTests
{
    private const ulong Function = SystemGuest.TestFrame;
    private const ulong Locked = SystemGuest.TestFrame + 0x1000;
    private const ulong Written = SystemGuest.Scratch;
    private const uint WrittenBytes = 0x4_0000;
    private const int Turns = 500;

    public static TheoryData<EngineKind, bool> EnginesAndWays => new()
    {
        { EngineKind.Interpreter, true },
        { EngineKind.Interpreter, false },
        { EngineKind.Translator, true },
        { EngineKind.Translator, false },
    };

    /// <summary>
    /// Each branch writes values of its own at random places, changes code that it runs, gets data from a device and runs into a page that
    /// is read-only, in turns with the others; and then looks as one with memory of its own that did the same.
    /// </summary>
    [Theory]
    [MemberData(nameof(EnginesAndWays))]
    public void No_branch_sees_what_another_writes(EngineKind engine, bool shares)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        WriteProgram(guest);
        guest.Memory.MapReadOnly(Locked, PhysicalMemory.PageSize);
        Start(guest.Processor, seed: 1);
        Assert.Equal(ExitReason.BudgetSpent, guest.Processor.Run(2000));
        MemoryImage image = guest.Memory.Freeze(shares);
        Assert.True(image.IsShared == (shares && OperatingSystem.IsLinux()));
        ulong frozen = guest.Memory.Hash();

        List<Branch> branches = [.. Enumerable.Range(2, 6).Select(seed => new Branch(image, engine, seed))];
        List<Branch> references = [.. Enumerable.Range(2, 6).Select(seed => new Branch(guest.Memory.Save(), engine, seed))];
        Start(guest.Processor, seed: 2);
        Random random = new(5);
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < branches.Count; i++)
            {
                byte[] data = new byte[random.Next(1, 9000)];
                random.NextBytes(data);
                ulong at = Written + (ulong)random.Next((int)WrittenBytes);
                foreach (Branch each in (Branch[])[branches[i], references[i]])
                {
                    each.Memory.Write(at, data);
                    each.Processor.Run(997);
                }
            }

            guest.Processor.Run(331);
        }

        for (int i = 0; i < branches.Count; i++)
        {
            Assert.NotEqual(frozen, branches[i].Memory.Hash());
            Assert.Empty(MemoryContent.Differences(references[i].Memory.Content, branches[i].Memory.Content));
            Assert.Equal(references[i].Memory.Content.Digest(), branches[i].Memory.Content.Digest());
            Assert.Equal(references[i].Memory.Hash(), branches[i].Memory.Hash());
            Assert.Equal(references[i].Processor.GetRegister(5), branches[i].Processor.GetRegister(5));
            Assert.Equal(references[i].Bus.MmioWrites, branches[i].Bus.MmioWrites);
            Assert.True(branches[i].Bus.MmioWrites > 0);
        }

        // The image is what it was.
        using PhysicalMemory late = new(image.RamBytes);
        late.Adopt(image);
        Assert.Equal(frozen, late.Hash());
        Assert.Equal(PageKinds.Rom, late.KindOf(Locked));

        // In any order, the image among them.
        IEnumerable<IDisposable> all = [image, .. branches, .. references];
        foreach (IDisposable each in all.OrderBy(_ => random.Next()))
        {
            each.Dispose();
        }

        Assert.Equal(frozen, late.Hash());
        Assert.Throws<ObjectDisposedException>(() => late.Adopt(image));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Clearing_and_loading_leave_nothing_of_the_image(bool shares)
    {
        using PhysicalMemory first = Filled(1);
        first.MapRom(0xF_0000, [.. Enumerable.Range(0, 5000).Select(static i => (byte)i)]);
        using MemoryImage image = first.Freeze(shares);
        using PhysicalMemory other = Filled(2);
        using PhysicalMemory branch = new(image.RamBytes);
        branch.Adopt(image);
        branch.ClearRam();
        Assert.Equal(0ul, branch.ReadUInt64(0x1000));
        Assert.Equal(0x0706_0504_0302_0100ul, branch.ReadUInt64(0xF_0000));
        Assert.Equal(0ul, branch.ShareEqualPages());
        branch.Adopt(image);
        Assert.Equal(first.Hash(), branch.Hash());
        branch.Load(other.Save());
        Assert.Equal(other.Hash(), branch.Hash());

        // Of a branch, too: what it has zeroed is zero in what is made of it, and stays so.
        branch.Adopt(image);
        branch.Write(0x1000, new byte[0x8000]);
        using MemoryImage second = branch.Freeze(shares);
        branch.Write(0x2000, new byte[0x4000]);
        branch.ShareEqualPages();
        Assert.Equal(0ul, branch.ReadUInt64(0x3000));
        using PhysicalMemory leaf = new(image.RamBytes);
        leaf.Adopt(second);
        Assert.Empty(MemoryContent.Differences(branch.Content, leaf.Content));
        Assert.Equal(0ul, leaf.ReadUInt64(0x1000));
        first.ClearRam();
        Assert.Equal(0ul, first.ReadUInt64(0x1000));
        Assert.Equal(0x0706_0504_0302_0100ul, first.ReadUInt64(0xF_0000));
        Assert.Throws<ArgumentException>(() => new PhysicalMemory(1 << 20).Adopt(image));
    }

    [SkippableFact]
    public void A_branch_takes_memory_for_what_it_writes_and_gives_back_what_is_equal()
    {
        using PhysicalMemory first = Filled(1);
        using MemoryImage image = first.Freeze();
        Skip.IfNot(image.IsShared, "This host shares no memory between machines.");
        Assert.Equal(0ul, first.ResidentBytes());
        using PhysicalMemory branch = new(image.RamBytes);
        branch.Adopt(image);
        ulong hash = branch.Hash();
        Assert.Equal(0ul, branch.ResidentBytes());
        byte[] before = new byte[5 * PhysicalMemory.PageSize];
        branch.Read(0x10_0000, before);
        branch.Write(0x10_0000, new byte[before.Length]);
        branch.Write(0x30_0000, [1]);
        branch.Write(0, [1]);
        Assert.Equal(7 * PhysicalMemory.PageSize, branch.ResidentBytes());
        Assert.Equal(0ul, branch.ShareEqualPages());
        branch.Write(0x10_0000, before);
        branch.Write(0x30_0000, [0]);
        branch.Write(0, [0]);
        Assert.Equal(7 * PhysicalMemory.PageSize, branch.ShareEqualPages());
        Assert.Equal(0ul, branch.ResidentBytes());
        Assert.Equal(hash, branch.Hash());
        Assert.Equal(hash, first.Hash());
    }

    /// <summary>The last mappings and open files are the runtime's, which would end the process without.</summary>
    [Fact]
    public void Machines_are_refused_before_the_host_runs_out()
    {
        HostLimits.CheckMappings(57_338, 65_530);
        HostLimits.CheckDescriptor(959, 1024);
        Assert.Contains("vm.max_map_count", Assert.Throws<OutOfMemoryException>(static () => HostLimits.CheckMappings(57_339, 65_530)).Message, StringComparison.Ordinal);
        Assert.Contains("ulimit", Assert.Throws<OutOfMemoryException>(static () => HostLimits.CheckDescriptor(960, 1024)).Message, StringComparison.Ordinal);
        Assert.InRange(HostLimits.MostDescriptors, 1, long.MaxValue);
    }

    [Fact]
    public void Content_is_hashed_again_only_where_it_was_written()
    {
        using PhysicalMemory one = Filled(1);
        using PhysicalMemory other = Filled(1);
        int pages = (int)(one.RamBytes / PhysicalMemory.PageSize);
        Assert.Equal(pages, one.Content.Refresh());
        Assert.Equal(0, one.Content.Refresh());
        one.BeginDirtyPages();
        Assert.Equal(0, one.Content.Refresh());
        uint mark = one.MarkWrites();
        byte[] changed = new byte[2];
        one.Read(0x5FFF, changed);
        changed = [.. changed.Select(static b => (byte)~b)];
        one.Write(0x5FFF, changed);
        Assert.Equal([0x5000ul, 0x6000ul], one.WrittenSince(mark));
        Assert.Equal([0x5000ul, 0x6000ul], MemoryContent.Differences(one.Content, other.Content));
        Assert.NotEqual(one.Content.Digest(), other.Content.Digest());

        // Nobody's look takes anything from another's.
        Assert.Equal([0x5000ul, 0x6000ul], one.DirtyPages());
        Assert.Equal([0x5000ul, 0x6000ul], one.WrittenSince(mark));
        other.Write(0x5FFF, changed);
        Assert.Empty(MemoryContent.Differences(one.Content, other.Content));
        Assert.Equal(one.Content.Digest(), other.Content.Digest());

        // What is taken out of memory has no content, and has it again when it comes back.
        one.Unmap(0x5000, PhysicalMemory.PageSize);
        Assert.Equal([0x5000ul], MemoryContent.Differences(one.Content, other.Content));
        one.MapReadOnly(0x5000, PhysicalMemory.PageSize);
        Assert.Empty(MemoryContent.Differences(one.Content, other.Content));
    }

    private static PhysicalMemory Filled(int seed)
    {
        PhysicalMemory memory = new(4 << 20);
        byte[] page = new byte[PhysicalMemory.PageSize];
        Random random = new(seed);
        for (ulong at = 0x1000; at < 2 << 20; at += PhysicalMemory.PageSize)
        {
            random.NextBytes(page);
            memory.Write(at, page);
        }

        return memory;
    }

    private static void Start(Vcpu processor, int seed)
    {
        processor.EnterLong64(SystemGuest.Code, SystemGuest.Tables, SystemGuest.Code0, SystemGuest.Data0, SystemGuest.Gdt, 0x7F);
        processor.SetRegister(4, SystemGuest.BootStack);
        processor.SetRegister(3, (ulong)seed * 0x9E37_79B9_7F4A_7C15);
    }

    // Random stores, a call of a function whose immediate was just changed, and a store to the page that is read-only.
    private static void WriteProgram(SystemGuest guest)
    {
        guest.Assemble(Function, static c =>
        {
            c.mov(edx, 0);
            c.ret();
        });
        guest.Assemble(SystemGuest.Code, static c =>
        {
            Label start = c.CreateLabel();
            Label again = c.CreateLabel();
            c.Label(ref start);
            c.mov(ecx, Turns);
            c.Label(ref again);
            c.mov(rax, rbx);
            c.shl(rax, 13);
            c.xor(rbx, rax);
            c.mov(rax, rbx);
            c.shr(rax, 7);
            c.xor(rbx, rax);
            c.mov(rax, rbx);
            c.shl(rax, 17);
            c.xor(rbx, rax);
            c.mov(eax, ebx);
            c.and(eax, WrittenBytes - 1);
            c.mov(__qword_ptr[rax + (long)Written], rbx);
            c.mov(rsi, Function);
            c.mov(__byte_ptr[rsi + 1], bl);
            c.call(rsi);
            c.add(rbp, rdx);
            c.dec(ecx);
            c.jne(again);
            c.mov(rsi, Locked);
            c.mov(__qword_ptr[rsi], rbx);
            c.jmp(start);
        });
    }

    /// <summary>A processor on memory that begins with an image, or with a state.</summary>
    private sealed class Branch : IDisposable
    {
        public Branch(MemoryImage image, EngineKind engine, int seed)
            : this(image.RamBytes, engine)
        {
            Memory.Adopt(image);
            Start(Processor, seed);
        }

        public Branch(byte[] state, EngineKind engine, int seed)
            : this(16 << 20, engine)
        {
            Memory.Load(state);
            Start(Processor, seed);
        }

        private Branch(ulong bytes, EngineKind engine)
        {
            Memory = new PhysicalMemory(bytes);
            Processor = new Vcpu(Memory, Bus, CpuModel.X86_64_V3, engine: engine);
        }

        public PhysicalMemory Memory { get; }

        public TestBus Bus { get; } = new();

        public Vcpu Processor { get; }

        public void Dispose()
        {
            Processor.Dispose();
            Memory.Dispose();
        }
    }
}
