using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>What the programs of a mode did.</summary>
internal sealed class ModeTally
{
    private readonly long[] _vectors = new long[256];
    private long _instructions;
    private long _bus;
    private long _restarts;
    private int _programs;
    private int _shutdowns;

    public void Add(GuestProgram program, LockstepResult result)
    {
        _ = program;
        _programs++;
        _instructions += result.Instructions;
        _bus += result.BusAccesses;
        _restarts += result.Restarts;
        _shutdowns += result.End == ExitReason.Shutdown ? 1 : 0;
        for (int i = 0; i < result.Vectors.Count && i < _vectors.Length; i++)
        {
            _vectors[i] += result.Vectors[i];
        }
    }

    public override string ToString()
    {
        IEnumerable<string> vectors = Enumerable.Range(0, 256).Where(i => _vectors[i] != 0 && i < 32).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i}:{_vectors[i]}"));
        long interrupts = _vectors.Skip(32).Sum();
        return string.Create(CultureInfo.InvariantCulture, $"{_programs} programs, {_instructions:N0} instructions, {_shutdowns} shutdowns, {_restarts} restarts, {_bus} bus accesses, {interrupts} interrupts, exceptions {string.Join(' ', vectors)}");
    }
}
