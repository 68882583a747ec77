using System;
using System.Linq;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// What a run's guest has sent, a log for each outlet. The dispatch writes; readers on any thread need no lock
/// (<see cref="SerialLog"/>). All logs are there from the beginning, in the order of the outlets, so that which of them loses its
/// beginning first depends on nothing that other threads do.
/// </summary>
internal sealed class SerialLogs : IStateful
{
    private static readonly Outlet[] s_outlets = [.. Outlet.All];

    private readonly SerialLog[] _logs;
    private readonly SerialLog _com1;

    /// <param name="bytes">Most bytes that they hold together.</param>
    public SerialLogs(long bytes)
    {
        SerialLogBudget budget = new(bytes);
        _logs = [.. s_outlets.Select(_ => new SerialLog(budget))];
        _com1 = this[Outlet.Com1];
    }

    /// <summary>Host memory that they take, in bytes.</summary>
    public long MemoryBytes => _logs.Sum(log => log.MemoryBytes);

    public SerialLog this[Outlet outlet] => _logs[Array.IndexOf(s_outlets, outlet)];

    /// <summary>Adds a byte without waking anybody. On the run's thread.</summary>
    public void Write(Outlet outlet, byte value) => (outlet == Outlet.Com1 ? _com1 : this[outlet]).Write(value);

    /// <summary>Wakes the readers that wait. On the run's thread.</summary>
    public void Publish()
    {
        foreach (SerialLog log in _logs)
        {
            log.Publish();
        }
    }

    /// <summary>No more bytes will come.</summary>
    public void Close()
    {
        foreach (SerialLog log in _logs)
        {
            log.Close();
        }
    }

    /// <summary>Offsets stay what they are, so that whoever has read up to one reads on from there.</summary>
    public void Describe(StateVisitor visitor) => visitor.Parts(_logs, log => s_outlets[Array.IndexOf(_logs, log)].Name);
}
