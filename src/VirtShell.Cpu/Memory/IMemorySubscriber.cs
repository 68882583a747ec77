namespace VirtShell.Cpu.Memory;

/// <summary>
/// Whoever keeps something that follows from guest-physical memory, as a processor keeps translations of addresses and decoded
/// code. Memory tells every subscriber, on the thread that makes the change, while the guest runs.
/// </summary>
public interface IMemorySubscriber
{
    /// <summary>What stands at whole pages has changed, or may be written no longer: nothing that was known of them holds.</summary>
    void MappingChanged(ulong physical, ulong length);

    /// <summary>Stores to a page are watched from now on (<see cref="PageKinds.Watched"/>): they must ask for its kind again.</summary>
    void StoresWatched(ulong physicalPage);

    /// <summary>The same for every page that there is.</summary>
    void AllStoresWatched();

    /// <summary>Bytes of a page that somebody has decoded code from were written. Called after the write.</summary>
    void CodeWritten(ulong physical, ulong length);

    /// <summary>Whether it holds code that was decoded from a page.</summary>
    bool HoldsCode(ulong physicalPage);
}
