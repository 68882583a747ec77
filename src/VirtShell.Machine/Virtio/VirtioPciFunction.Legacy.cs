using VirtShell.Machine.Bus;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// The legacy interface (virtio 1.2, 4.1.4.10), for drivers from before virtio 1.0: registers in ports, a queue's rings at
/// one page in a fixed layout, features of 32 bits, no agreement on them. Drivers of 1.x never touch it.
/// </summary>
internal sealed partial class VirtioPciFunction : IPortHandler
{
    private const int LegacyBar = 0;

    private int LegacyConfig => _msix.IsEnabled ? VirtioPci.LegacyConfigWithMsix : VirtioPci.LegacyConfigWithoutMsix;

    public uint ReadPort(ushort port, int size)
    {
        // By byte, so that any size and alignment works: only the ISR changes by being read.
        int offset = port & (_legacyBytes - 1);
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (uint)ReadLegacyByte(offset + i) << (8 * i);
        }

        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        int offset = port & (_legacyBytes - 1);
        if (offset >= LegacyConfig)
        {
            _device.WriteConfig(offset - LegacyConfig, size, value);
            return;
        }

        switch (offset, size)
        {
            case (VirtioPci.LegacyDriverFeatures, 4):
                _device.WriteLegacyFeatures(value);
                break;
            case (VirtioPci.LegacyQueuePage, 4) when SelectedQueue() is Virtqueue queue:
                _device.WriteLegacyQueue(queue.Index, value);
                break;
            case (VirtioPci.LegacyQueueSelect, 2):
                _queueSelect = (ushort)value;
                break;
            case (VirtioPci.LegacyQueueNotify, 2):
                _device.Notify((int)value);
                break;
            case (VirtioPci.LegacyDeviceStatus, 1) when value == 0:
                ResetVirtio();
                break;
            case (VirtioPci.LegacyDeviceStatus, 1):
                WriteLegacyStatus((byte)value);
                break;
            case (VirtioPci.LegacyConfigVector, 2):
                _configVector = Vector(value);
                break;
            case (VirtioPci.LegacyQueueVector, 2) when SelectedQueue() is Virtqueue queue:
                _queueVectors[queue.Index] = Vector(value);
                break;
        }
    }

    private void WriteLegacyStatus(byte value)
    {
        // Linux before 2.6.34 leaves the bus master bit alone and expects the device to reach memory.
        if ((value & VirtioStatus.Driver) != 0 && !IsBusMaster)
        {
            EnableBusMaster();
        }

        _device.WriteLegacyStatus(value);
    }

    private byte ReadLegacyByte(int offset)
    {
        if (offset >= LegacyConfig)
        {
            return _device.ReadConfig(offset - LegacyConfig);
        }

        Virtqueue? queue = SelectedQueue();
        (int register, uint value) = offset switch
        {
            < VirtioPci.LegacyDriverFeatures => (VirtioPci.LegacyDeviceFeatures, (uint)_device.OfferedFeatures),
            < VirtioPci.LegacyQueuePage => (VirtioPci.LegacyDriverFeatures, (uint)_device.DriverFeatures),
            < VirtioPci.LegacyQueueSize => (VirtioPci.LegacyQueuePage, queue is { IsEnabled: true } ? (uint)(queue.DescriptorArea / SplitRing.LegacyAlignment) : 0),
            < VirtioPci.LegacyQueueSelect => (VirtioPci.LegacyQueueSize, (uint)(queue?.Size ?? 0)),
            < VirtioPci.LegacyQueueNotify => (VirtioPci.LegacyQueueSelect, _queueSelect),
            < VirtioPci.LegacyDeviceStatus => (VirtioPci.LegacyQueueNotify, 0u),
            VirtioPci.LegacyDeviceStatus => (VirtioPci.LegacyDeviceStatus, _device.Status),
            VirtioPci.LegacyIsr => (VirtioPci.LegacyIsr, ReadIsr()),
            < VirtioPci.LegacyQueueVector => (VirtioPci.LegacyConfigVector, _configVector),
            _ => (VirtioPci.LegacyQueueVector, queue is null ? VirtioPci.NoVector : _queueVectors[queue.Index]),
        };
        return (byte)(value >> (8 * (offset - register)));
    }
}
