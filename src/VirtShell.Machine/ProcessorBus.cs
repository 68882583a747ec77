using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;
using VirtShell.Storage;

namespace VirtShell.Machine;

public sealed partial class Machine
{
    /// <summary>What stands between the processor and the board: the processor's bus on one side, what the board tells on the other.</summary>
    private sealed class ProcessorBus(Machine machine) : ICpuBus, IBoardSignals
    {
        // Sound: the state lives as long as the processor, which calls here.
        private unsafe ulong TscOffset => machine.Cpu.State->TscOffset;

        public byte TaskPriority
        {
            get => machine._interrupts.LocalApic.TaskPriority;
            set => machine._interrupts.LocalApic.TaskPriority = value;
        }

        public void SetFloatingPointError(bool asserted) => machine._coprocessor?.SetError(asserted);

        public uint ReadPort(ushort port, int size)
        {
            machine.PassPortCycle();
            return machine.Bus.ReadPort(port, size);
        }

        public void WritePort(ushort port, int size, uint value)
        {
            machine.PassPortCycle();
            machine.Bus.WritePort(port, size, value);
        }

        public ulong ReadMmio(ulong physicalAddress, int size) => machine.Bus.ReadMmio(physicalAddress, size);

        public void WriteMmio(ulong physicalAddress, int size, ulong value) => machine.Bus.WriteMmio(physicalAddress, size, value);

        public int AcknowledgeInterrupt() => machine._interrupts.Acknowledge();

        public ulong ReadTimestampCounter() => ProcessorClock.TscAt(machine._clock.Now);

        // The deadline stays the same value of the guest's counter.
        public void TimestampMoved(ulong delta)
        {
            LocalApic apic = machine._interrupts.LocalApic;
            if (apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong deadline) && deadline != 0)
            {
                apic.TryWriteMsr(LocalApic.MsrTscDeadline, FromGuest(deadline + TscOffset - delta));
            }
        }

        // The deadline is a value of the guest's TSC, which may stand off from ours.
        public bool TryReadMsr(uint index, out ulong value)
        {
            bool known = machine._interrupts.LocalApic.TryReadMsr(index, out value);
            if (index == LocalApic.MsrTscDeadline && value != 0)
            {
                value += TscOffset;
            }

            return known;
        }

        public bool TryWriteMsr(uint index, ulong value)
        {
            if (index == LocalApic.MsrTscDeadline && value != 0)
            {
                value = FromGuest(value);
            }

            return machine._interrupts.LocalApic.TryWriteMsr(index, value);
        }

        // A value of the guest's counter as one of ours, not 0: of those that have passed the first, of those beyond reach the last.
        private ulong FromGuest(ulong value)
        {
            ulong now = ReadTimestampCounter();
            ulong guestNow = now + TscOffset;
            if (value <= guestNow)
            {
                return 1;
            }

            ulong left = value - guestNow;
            return left > ulong.MaxValue - now ? ulong.MaxValue : now + left;
        }

        public void SetInterruptRequest(bool asserted) => machine.Cpu.SetInterruptRequest(asserted);

        public void RaiseNmi() => machine.Cpu.RaiseNmi();

        // There is no firmware for INIT to start from: the machine is asked to reset.
        public void RaiseInit() => machine.RequestExit(new MachineExit(MachineExitKind.ResetRequested));

        public void SetA20(bool isOpen) => machine.Cpu.SetA20(isOpen);

        public void RequestExit(MachineExit exit) => machine.RequestExit(exit);

        public void Output(Outlet outlet, byte value) => machine.SerialOutput?.Invoke(outlet, value);

        public void StorageFaulted(StorageException error) => machine.StorageFaulted?.Invoke(error);
    }
}
