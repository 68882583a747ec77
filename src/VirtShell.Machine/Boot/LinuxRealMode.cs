using System;
using System.Buffers.Binary;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Enters a kernel's setup code in real mode (Documentation/arch/x86/boot.rst, "Running the kernel"): zImage kernels, and loaders that are dressed up as a bzImage.</summary>
internal static class LinuxRealMode
{
    private const ushort SetupSegment = 0x9000;
    private const ushort EntrySegment = SetupSegment + 0x20;
    private const int LargestSetup = 0x8000;
    private const ulong LowSystem = 0x1_0000;
    private const int HeapEnd = 0x9800;
    private const int HeapEndHigh = 0xE000;
    private const int OldCommandLineLimit = 255;

    private const int OldCommandLineMagic = 0x020;
    private const int OldCommandLineOffset = 0x022;
    private const int TypeOfLoader = 0x210;
    private const int LoadFlags = 0x211;
    private const int RamdiskImage = 0x218;
    private const int RamdiskSize = 0x21C;
    private const int HeapEndPtr = 0x224;
    private const int CmdLinePtr = 0x228;
    private const byte CanUseHeap = 0x80;
    private const ushort CommandLineMagic = 0xA33F;
    private const int Esp = 4;

    /// <exception cref="MachineBootException">The image does not fit.</exception>
    public static void Load(LinuxBoot boot, LinuxHeader header, Vcpu cpu, PhysicalMemory memory)
    {
        if (memory.LowRamBytes <= MemoryMap.HighMemory)
        {
            throw new MachineBootException("The kernel needs more than 1 MiB of memory to start. Give the machine more.");
        }

        ReadOnlySpan<byte> image = boot.Kernel.Span;
        ReadOnlySpan<byte> system = image[header.SetupLength..];
        ulong start = header.IsLoadedHigh ? MemoryMap.HighMemory : LowSystem;
        ulong limit = header.IsLoadedHigh ? memory.LowRamBytes : BootArea.BootParams;
        if (header.SetupLength > LargestSetup || (ulong)system.Length > limit - start)
        {
            throw new MachineBootException($"The kernel does not fit: its setup code of {header.SetupLength} bytes may take {LargestSetup}, its system of {system.Length} bytes may take {limit - start} from {start:X}h.");
        }

        int heapEnd = header.IsLoadedHigh && header.Version >= 0x202 ? HeapEndHigh : HeapEnd;
        byte[] commandLine = LinuxParameters.EncodeCommandLine(boot.CommandLine, Math.Min(header.CmdlineSize, heapEnd == HeapEnd ? OldCommandLineLimit : (uint)(MemoryMap.ExtendedBiosData - BootArea.BootParams) - HeapEndHigh - 1));
        byte[] setup = image[..header.SetupLength].ToArray();
        if (header.Version >= 0x200)
        {
            setup[TypeOfLoader] = 0xFF;
            if (boot.Initrd.Length > 0)
            {
                ulong initrd = LinuxLoader.PlaceInitrd(header.InitrdAddrMax, (ulong)boot.Initrd.Length, Math.Max(MemoryMap.HighMemory, start + (ulong)system.Length), memory);
                memory.Write(initrd, boot.Initrd.Span);
                BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(RamdiskImage), (uint)initrd);
                BinaryPrimitives.WriteInt32LittleEndian(setup.AsSpan(RamdiskSize), boot.Initrd.Length);
            }
        }
        else if (boot.Initrd.Length > 0)
        {
            throw new MachineBootException("The kernel's boot protocol is older than 2.00 and knows no initrd. Leave it out.");
        }

        if (header.Version >= 0x201)
        {
            setup[LoadFlags] |= CanUseHeap;
            BinaryPrimitives.WriteUInt16LittleEndian(setup.AsSpan(HeapEndPtr), (ushort)(heapEnd - 0x200));
        }

        if (header.Version >= 0x202)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(CmdLinePtr), (uint)BootArea.BootParams + (uint)heapEnd);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(setup.AsSpan(OldCommandLineMagic), CommandLineMagic);
            BinaryPrimitives.WriteUInt16LittleEndian(setup.AsSpan(OldCommandLineOffset), (ushort)heapEnd);
        }

        memory.Write(start, system);
        memory.Write(BootArea.BootParams, setup);
        memory.Write(BootArea.BootParams + (ulong)heapEnd, commandLine);
        RealModeServices.Write(memory, EntrySegment);
        cpu.EnterReal16(RealModeServices.Segment, RealModeServices.Start, SetupSegment);
        cpu.SetRegister(Esp, (ulong)heapEnd);
    }
}
