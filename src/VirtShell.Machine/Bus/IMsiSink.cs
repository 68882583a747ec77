namespace VirtShell.Machine.Bus;

/// <summary>Takes message-signalled interrupts: memory writes of a device that land in the local APICs' range.</summary>
internal interface IMsiSink
{
    /// <summary>Delivers a message (Intel SDM 3A, 11.11); one outside FEE00000h–FEEFFFFFh is dropped.</summary>
    void DeliverMsi(ulong address, uint data);
}
