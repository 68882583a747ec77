using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Pci;
using Xunit;

namespace VirtShell.Machine.Tests.Drives;

/// <summary>Uses the IDE controller of a board as a driver does: registers, data port, bus master.</summary>
internal sealed class IdeDriver
{
    public const int PciSlot = 1;
    public const int PciFunction = 1;
    private const ulong Table = 0x1000;
    private const long Patience = 10_000_000_000;
    private readonly int _port;
    private readonly int _control;
    private readonly int _busMaster;
    private readonly int _selection;

    public IdeDriver(TestBoard board, int drive)
    {
        Board = board;
        bool isPrimary = drive < 2;
        (_port, _control) = isPrimary ? (0x1F0, 0x3F6) : (0x170, 0x376);
        _busMaster = (int)(PciTestMachine.ReadConfig(board.Bus, PciSlot, PciFunction, 0x20, 4) & ~3u) + (isPrimary ? 0 : 8);
        _selection = (drive & 1) << 4;
        uint command = PciTestMachine.ReadConfig(board.Bus, PciSlot, PciFunction, PciRegister.Command, 2);
        PciTestMachine.WriteConfig(board.Bus, PciSlot, PciFunction, PciRegister.Command, 2, command | PciCommand.BusMaster);
    }

    public TestBoard Board { get; }

    public int AlternateStatus => Board.In(_control);

    public int BusMasterStatus
    {
        get => Board.In(_busMaster + 2);
        set => Board.Out(_busMaster + 2, value);
    }

    /// <summary>Whether the channel's interrupt waits at the 8259.</summary>
    public bool IsRequesting
    {
        get
        {
            Board.Out(0xA0, 0x0A);
            return (Board.In(0xA0) & (_port == 0x1F0 ? 0x40 : 0x80)) != 0;
        }
    }

    public int this[int register]
    {
        get => Board.In(_port + register);
        set => Board.Out(_port + register, value);
    }

    public void Control(int value) => Board.Out(_control, value);

    public void Select(int device = 0) => this[IdeRegister.Device] = 0xA0 | _selection | device;

    /// <summary>Waits until the drive is not busy; gives the status without taking the interrupt.</summary>
    public int Wait()
    {
        for (long waited = 0; (AlternateStatus & IdeStatus.Busy) != 0; waited += 1000)
        {
            Assert.True(waited < Patience, "The drive stays busy.");
            Board.Advance(1000);
        }

        return AlternateStatus;
    }

    /// <summary>A command with a 28-bit address, or with cylinder and head where <paramref name="device"/> has no bit 6; gives the status once the drive is not busy.</summary>
    public int Command(int command, long address = 0, int count = 0, int features = 0, int device = 0x40)
    {
        Select(device | (int)((address >> 24) & 0xF));
        this[IdeRegister.Features] = features;
        this[IdeRegister.SectorCount] = count;
        this[IdeRegister.LbaLow] = (int)address & 0xFF;
        this[IdeRegister.LbaMid] = (int)(address >> 8) & 0xFF;
        this[IdeRegister.LbaHigh] = (int)(address >> 16) & 0xFF;
        this[IdeRegister.Command] = command;
        return Wait();
    }

    /// <summary>A command with a 48-bit address: each register is written twice.</summary>
    public int CommandExt(int command, long address, int count)
    {
        Select(0x40);
        this[IdeRegister.SectorCount] = count >> 8;
        this[IdeRegister.LbaLow] = (int)(address >> 24) & 0xFF;
        this[IdeRegister.LbaMid] = (int)(address >> 32) & 0xFF;
        this[IdeRegister.LbaHigh] = (int)(address >> 40) & 0xFF;
        this[IdeRegister.SectorCount] = count & 0xFF;
        this[IdeRegister.LbaLow] = (int)address & 0xFF;
        this[IdeRegister.LbaMid] = (int)(address >> 8) & 0xFF;
        this[IdeRegister.LbaHigh] = (int)(address >> 16) & 0xFF;
        this[IdeRegister.Command] = command;
        return Wait();
    }

    public byte[] ReadData(int bytes, int width = 2)
    {
        byte[] data = new byte[bytes + width];
        for (int i = 0; i < bytes; i += width)
        {
            uint value = Board.Bus.ReadPort((ushort)_port, width);
            for (int j = 0; j < width; j++)
            {
                data[i + j] = (byte)(value >> (8 * j));
            }
        }

        return data[..bytes];
    }

    public void WriteData(ReadOnlySpan<byte> data, int width = 2)
    {
        for (int i = 0; i < data.Length; i += width)
        {
            uint value = width == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(data[i..]) : BinaryPrimitives.ReadUInt32LittleEndian(data[i..]);
            Board.Bus.WritePort((ushort)_port, width, value);
        }
    }

    /// <summary>Reads block after block as long as the drive has data; gives all of it and how long each block was.</summary>
    public (byte[] Data, List<int> Blocks) ReadBlocks(int blockBytes)
    {
        List<byte> all = [];
        List<int> blocks = [];
        while ((Wait() & IdeStatus.DataRequest) != 0)
        {
            int status = this[IdeRegister.Status];
            Assert.Equal(0, status & IdeStatus.Error);
            int length = blockBytes > 0 ? blockBytes : this[IdeRegister.LbaMid] | (this[IdeRegister.LbaHigh] << 8);
            all.AddRange(ReadData((length + 1) & ~1)[..length]);
            blocks.Add(length);
        }

        return ([.. all], blocks);
    }

    /// <summary>Sends a packet; gives the status once the drive is not busy.</summary>
    public int Packet(ReadOnlySpan<byte> packet, int limit = 0xFFFE, bool dma = false)
    {
        Select();
        this[IdeRegister.Features] = dma ? 1 : 0;
        this[IdeRegister.LbaMid] = limit & 0xFF;
        this[IdeRegister.LbaHigh] = limit >> 8;
        this[IdeRegister.Command] = IdeCommand.Packet;
        Assert.Equal(IdeStatus.DataRequest, (byte)(Wait() & (IdeStatus.DataRequest | IdeStatus.Error)));
        Assert.Equal(IdeReason.Command, this[IdeRegister.InterruptReason]);
        byte[] whole = new byte[12];
        packet.CopyTo(whole);
        WriteData(whole);
        return dma ? 0 : Wait();
    }

    /// <summary>A table of regions for the bus master.</summary>
    public void Regions(params (uint Address, int Bytes)[] regions)
    {
        for (int i = 0; i < regions.Length; i++)
        {
            Board.Board.Memory.WriteUInt32(Table + (ulong)(8 * i), regions[i].Address);
            Board.Board.Memory.WriteUInt32(Table + (ulong)(8 * i) + 4, (uint)(regions[i].Bytes & 0xFFFF) | (i == regions.Length - 1 ? 0x8000_0000 : 0));
        }

        Board.Bus.WritePort((ushort)(_busMaster + 4), 4, (uint)Table);
    }

    public void StartBusMaster(bool toMemory) => Board.Out(_busMaster, toMemory ? 0x09 : 0x01);

    public void StopBusMaster() => Board.Out(_busMaster, 0);
}
