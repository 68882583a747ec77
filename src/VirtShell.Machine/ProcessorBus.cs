using VirtShell.Cpu;
using VirtShell.Machine.Interrupts;

namespace VirtShell.Machine;

public sealed partial class Machine
{
    /// <summary>What stands between the processor and the machine: its bus on one side, its interrupt pins on the other.</summary>
    private sealed class ProcessorBus(Machine machine) : ICpuBus, IProcessorPins
    {
        // Sound: the state lives as long as the processor, which calls here.
        private unsafe ulong TscOffset => machine.Cpu.State->TscOffset;

        public byte TaskPriority
        {
            get => machine._interrupts.LocalApic.TaskPriority;
            set => machine._interrupts.LocalApic.TaskPriority = value;
        }

        public void SetFloatingPointError(bool asserted) => machine._coprocessor.SetError(asserted);

        public uint ReadPort(ushort port, int size) => machine.Bus.ReadPort(port, size);

        public void WritePort(ushort port, int size, uint value) => machine.Bus.WritePort(port, size, value);

        public ulong ReadMmio(ulong physicalAddress, int size) => machine.Bus.ReadMmio(physicalAddress, size);

        public void WriteMmio(ulong physicalAddress, int size, ulong value) => machine.Bus.WriteMmio(physicalAddress, size, value);

        public int AcknowledgeInterrupt() => machine._interrupts.Acknowledge();

        public ulong ReadTimestampCounter() => (ulong)machine._clock.Now;

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
                ulong offset = TscOffset;
                bool passed = (long)(value - offset) <= 0 && offset != 0;
                value = passed ? 1 : value - offset;
            }

            return machine._interrupts.LocalApic.TryWriteMsr(index, value);
        }

        public void SetInterruptRequest(bool asserted) => machine.Cpu.SetInterruptRequest(asserted);

        public void RaiseNmi() => machine.Cpu.RaiseNmi();

        // There is no firmware for INIT to start from: the machine is asked to reset.
        public void RaiseInit() => machine.RequestReset();
    }
}
