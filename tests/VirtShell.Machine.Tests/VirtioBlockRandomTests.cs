using System;
using System.Buffers.Binary;
using VirtShell.Machine.Virtio;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>Random block requests, right and wrong, over sound rings, against an array that does what the specification says.</summary>
public sealed class VirtioBlockRandomTests : IDisposable
{
    private const int Slot = 6;
    private const int Sectors = 512;
    private static readonly uint[] s_types = [0, 0, 0, 1, 1, 1, 4, 8, 11, 13, 13, 7];
    private readonly PciTestMachine _machine = new();
    private readonly byte[] _model = new byte[Sectors * 512];

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Behave_as_the_model(int seed, bool legacy)
    {
        Random random = new(seed);
        random.NextBytes(_model);
        VirtioBlock device = new(_machine.Memory, _machine.Clock, new MemoryDisk(_model), "random");
        _machine.Pci.Attach(Slot, 0, new VirtioPciFunction(device));
        _machine.PowerOn();
        VirtioTestDriver driver = new(_machine, Slot, legacy: legacy);
        Assert.True(driver.Negotiate(driver.DeviceFeatures));
        VirtioTestQueue queue = driver.SetUpQueue(0, 64);
        driver.Start();
        ulong free = driver.NextFree;
        for (int i = 0; i < 3000; i++)
        {
            driver.NextFree = free;
            One(driver, queue, random, i);
        }

        Assert.Equal(legacy ? 0x07 : 0x0F, driver.Status);
    }

    public void Dispose() => _machine.Dispose();

    private void One(VirtioTestDriver driver, VirtioTestQueue queue, Random random, int number)
    {
        uint type = s_types[random.Next(s_types.Length)];
        ulong sector = random.Next(20) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(Sectors + 4);
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        byte[] data = new byte[type is 11 or 13 ? 16 * random.Next(1, 4) : random.Next(10) == 0 ? random.Next(1, 5000) : 512 * random.Next(1, 20)];
        random.NextBytes(data);
        if (type is 11 or 13)
        {
            FillRanges(data, random);
        }

        bool writable = type is 0 or 8;
        ulong at = driver.Place(data);
        ulong status = driver.Place([0xEE]);

        // The header and the data split anywhere: framing is the driver's choice (2.7.4).
        int headerCut = random.Next(1, 16);
        int dataCut = random.Next(0, data.Length);
        ulong head = driver.Place(header);
        TestBuffer[] chain =
        [
            new TestBuffer(head, (uint)headerCut, false), new TestBuffer(head + (uint)headerCut, (uint)(16 - headerCut), false),
            .. dataCut == 0 ? (TestBuffer[])[] : [new TestBuffer(at, (uint)dataCut, writable)],
            new TestBuffer(at + (uint)dataCut, (uint)(data.Length - dataCut), writable), new TestBuffer(status, 1, true),
        ];
        _ = random.Next(2) == 0 ? queue.AddIndirect(chain) : queue.Add(chain);
        queue.Kick();
        _machine.RunEvents();
        Assert.True(queue.TryTake(out _, out uint written), $"request {number} of type {type} did not complete");

        byte[] before = (byte[])data.Clone();
        byte expected = Expected(type, sector, data);
        Assert.True(expected == driver.Fetch(status, 1)[0], $"request {number}, type {type}, sector {sector}, {data.Length} bytes: status {driver.Fetch(status, 1)[0]}, not {expected}");
        byte[] now = driver.Fetch(at, data.Length);
        Assert.True((expected == 0 ? data : before).AsSpan().SequenceEqual(now), $"request {number} of type {type}: wrong data");
        Assert.Equal(1u + (expected != 0 ? 0 : type switch { 0 => (uint)data.Length, 8 => (uint)Math.Min(20, data.Length), _ => 0u }), written);
    }

    private static void FillRanges(byte[] data, Random random)
    {
        for (int i = 0; i < data.Length; i += 16)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(i), random.Next(30) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(Sectors - 16));
            BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(i + 8), random.Next(30) == 0 ? (uint)random.Next() : (uint)random.Next(16));
            BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(i + 12), random.Next(20) == 0 ? 2u : 0u);
        }
    }

    // Carries a request out on the model; data becomes what the guest should find in its buffer.
    private byte Expected(uint type, ulong sector, byte[] data)
    {
        switch (type)
        {
            case 0 or 1:
                if (data.Length % 512 != 0 || sector > Sectors || (ulong)data.Length / 512 > Sectors - sector)
                {
                    return 1;
                }

                Span<byte> range = _model.AsSpan((int)sector * 512, data.Length);
                if (type == 0)
                {
                    range.CopyTo(data);
                }
                else
                {
                    data.CopyTo(range);
                }

                return 0;
            case 4:
                return 0;
            case 8:
                byte[] id = new byte[20];
                "random"u8.CopyTo(id);
                id.AsSpan(0, Math.Min(20, data.Length)).CopyTo(data);
                return 0;
            case 11 or 13:
                return ExpectedRanges(type, data);
            default:
                return 2;
        }
    }

    private byte ExpectedRanges(uint type, byte[] data)
    {
        if (type == 13 && data.Length != 16)
        {
            return 1;
        }

        for (int i = 0; i < data.Length; i += 16)
        {
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(i));
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(i + 8));
            if (BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(i + 12)) != 0)
            {
                return 2;
            }

            if (start > Sectors || count > Sectors - start)
            {
                return 1;
            }
        }

        for (int i = 0; i < data.Length; i += 16)
        {
            int start = (int)BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(i));
            _model.AsSpan(start * 512, (int)BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(i + 8)) * 512).Clear();
        }

        return 0;
    }
}
