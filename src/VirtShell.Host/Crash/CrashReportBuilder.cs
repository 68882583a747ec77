using System;
using System.Collections.Generic;
using VirtShell.Host.Running;

namespace VirtShell.Host.Crash;

/// <summary>
/// Gathers a crash report. After a fault of our own the machine may be in any condition, so each part is gathered for
/// itself and one that fails says so in its place.
/// </summary>
internal static class CrashReportBuilder
{
    private const int StackLength = 128;
    private const int SerialLines = 30;

    public static CrashReport Build(VirtShell.Machine.Pc? machine, RunFacts facts)
    {
        GuestView? guest = machine is null ? null : Attempt<GuestView?>(() => ProcessorView.Of(machine), null);
        byte[] stack = new byte[StackLength];
        int stackLength = guest is null ? 0 : Attempt(() => guest.Read(guest.StackPointer, stack), 0);
        ulong? fault = guest is not null && PageWalk.IsPaging(guest) && guest.Register("CR2") is { } cr2 and not 0 ? cr2 : null;

        // A page that is mapped by now was a fault that the guest handled long ago.
        bool isOpen = fault is { } faulted && (facts.Kind == VmEndKind.TripleFault || !Attempt(() => guest!.Translate(faulted, out _), false));
        return new CrashReport
        {
            VmName = facts.VmName,
            Kind = facts.Kind,
            // It may hold what a guest printed as its last words.
            Summary = Printable.Escape(facts.Summary),
            At = facts.At,
            Instructions = facts.Instructions,
            GuestTime = facts.GuestTime,
            Mode = guest?.Mode ?? "unknown: the processor could not be read",
            Registers = guest?.Registers ?? [],
            Disassembly = guest is null ? [] : Attempt<IReadOnlyList<string>>(() => Disassembly.Around(guest), ["(the code could not be read)"]),
            StackAddress = guest?.StackPointer ?? 0,
            StackBytes = stack[..stackLength],
            SerialTail = Attempt(() => facts.Serial.GetTail(SerialLines), []),
            EngineError = facts.EngineError,
            FaultAddress = fault,
            PageWalk = isOpen && fault is { } address ? Attempt<IReadOnlyList<string>>(() => PageWalk.Of(guest!, address), ["(the page tables could not be read)"]) : [],
        };
    }

    private static T Attempt<T>(Func<T> part, T instead)
    {
        try
        {
            return part();
        }
        catch (Exception)
        {
            return instead;
        }
    }
}
