using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using VirtShell.Cpu;
using VirtShell.Cpu.Diagnostics;
using VirtShell.Host.Running;
using VirtShell.Images;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Lockstep;

/// <summary>The same machine twice, one on each engine.</summary>
internal sealed class MachinePair : IDisposable
{
    private readonly MachineBuild _first;
    private readonly MachineBuild _second;
    private readonly List<byte> _interpreterSerial = [];
    private readonly List<byte> _translatorSerial = [];
    private MachineExit _interpreterExit;
    private MachineExit _translatorExit;

    public MachinePair(VmDefinition definition, ImageResolver images, IProgress<string>? messages, CancellationToken cancellation)
    {
        // Both start at one time.
        definition = definition.RtcStart.Fixed is null ? definition with { RtcStart = RtcStart.Repeatable } : definition;
        _first = MachineBuild.Prepare(definition, images, messages, cancellation);
        _second = MachineBuild.Prepare(definition, images, progress: null, cancellation);
        Interpreter = _first.PowerOn(EngineKind.Interpreter);
        Translator = _second.PowerOn(EngineKind.Translator);
        Interpreter.SerialOutput = (outlet, value) => Note(_interpreterSerial, outlet, value);
        Translator.SerialOutput = (outlet, value) => Note(_translatorSerial, outlet, value);
    }

    public Pc Interpreter { get; }

    public Pc Translator { get; }

    public IReadOnlyList<byte> Serial => _interpreterSerial;

    public MachineExit Exit => _interpreterExit;

    /// <summary>Whether both can go on.</summary>
    public bool IsRunning => _interpreterExit.Kind is MachineExitKind.QuantumSpent;

    public void Run(long instructions, Action<Pc>? disturb)
    {
        _interpreterExit = Interpreter.Run(instructions);
        _translatorExit = Translator.Run(instructions);
        disturb?.Invoke(Translator);
    }

    /// <summary>Whether processors, ends, clocks and what was sent agree.</summary>
    public bool Agree() => _interpreterExit == _translatorExit && Interpreter.GuestTime == Translator.GuestTime && SerialAgrees()
        && ProcessorComparison.Agree(Interpreter.Cpu, Translator.Cpu);

    /// <summary>Whether memory and devices agree too.</summary>
    public bool AgreeFully() => Agree() && Interpreter.Memory.Hash() == Translator.Memory.Hash();

    public List<EngineDifference> Differences()
    {
        List<EngineDifference> list = ProcessorComparison.Differences(Interpreter.Cpu, Translator.Cpu);
        if (_interpreterExit != _translatorExit)
        {
            list.Insert(0, new EngineDifference("end of the run", _interpreterExit.ToString(), _translatorExit.ToString()));
        }

        if (Interpreter.GuestTime != Translator.GuestTime)
        {
            list.Add(new EngineDifference("guest time", Number(Interpreter.GuestTime), Number(Translator.GuestTime)));
        }

        if (!SerialAgrees())
        {
            int same = 0;
            while (same < _interpreterSerial.Count && same < _translatorSerial.Count && _interpreterSerial[same] == _translatorSerial[same])
            {
                same++;
            }

            list.Add(new EngineDifference($"serial byte {same}", At(_interpreterSerial, same), At(_translatorSerial, same)));
        }

        AddDevices(list);
        AddMemory(list);
        return list;
    }

    /// <summary>The state that both have where they agree.</summary>
    public byte[] Save() => Interpreter.Save();

    /// <summary>Puts both into one saved state; what was sent begins anew.</summary>
    public void Load(byte[] state)
    {
        Interpreter.Load(state);
        Translator.Load(state);
        _interpreterSerial.Clear();
        _translatorSerial.Clear();
        _interpreterExit = _translatorExit = new MachineExit(MachineExitKind.QuantumSpent);
    }

    public void Dispose()
    {
        Interpreter.Dispose();
        Translator.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    private static void Note(List<byte> serial, Outlet outlet, byte value)
    {
        if (outlet == Outlet.Com1)
        {
            serial.Add(value);
        }
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string At(List<byte> bytes, int index) => index < bytes.Count ? bytes[index].ToString("X2", CultureInfo.InvariantCulture) : "none";

    private bool SerialAgrees() => _interpreterSerial.Count == _translatorSerial.Count
        && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_interpreterSerial).SequenceEqual(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_translatorSerial));

    // Processor and memory are compared in more detail than by their descriptions.
    private void AddDevices(List<EngineDifference> list)
    {
        const int Limit = 16;
        foreach (StateDifference difference in StateTree.Differences(StateTree.Of(Interpreter), StateTree.Of(Translator), Limit))
        {
            if (!difference.Path.StartsWith("/machine/memory/", StringComparison.Ordinal) && !difference.Path.StartsWith("/machine/processor/", StringComparison.Ordinal))
            {
                list.Add(new EngineDifference(difference.Path["/machine/".Length..], difference.First, difference.Second));
            }
        }
    }

    private void AddMemory(List<EngineDifference> list)
    {
        const int Limit = 16;
        byte[] a = new byte[4096];
        byte[] b = new byte[4096];
        int found = 0;
        for (ulong page = 0; page < Interpreter.Memory.Top && found < Limit; page += 4096)
        {
            bool there = Interpreter.Memory.Read(page, a);
            if (!(Translator.Memory.Read(page, b) | there) || a.AsSpan().SequenceEqual(b))
            {
                continue;
            }

            for (int i = 0; i < a.Length && found < Limit; i++)
            {
                if (a[i] != b[i])
                {
                    list.Add(EngineDifference.Of(string.Create(CultureInfo.InvariantCulture, $"physical memory {page + (ulong)i:X}"), a[i], b[i]));
                    found++;
                }
            }
        }
    }
}
