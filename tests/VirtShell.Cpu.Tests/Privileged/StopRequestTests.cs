using System.Threading.Tasks;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Requests to stop that come from another thread while a guest does what takes long.</summary>
public sealed class StopRequestTests
{
    private const ulong Area = 0x20_0000;
    private const int AreaBytes = 1 << 20;

    // Emitted code's budget: whoever looks only at its end stops at multiples of it.
    private const long Slice = Translation.ReturnStack.MaxBudget;

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public async Task Repeated_string_instructions_stop_between_two_of_their_slices(EngineKind engine)
    {
        // One run in so many may stop at a multiple by chance.
        for (int round = 1; !await StopsInside(engine); round++)
        {
            Assert.True(round < 4, "The processor stopped at the end of a budget each time.");
        }
    }

    private static async Task<bool> StopsInside(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Assemble(SystemGuest.Code, static c =>
        {
            Iced.Intel.Label again = c.CreateLabel();
            c.Label(ref again);
            c.mov(rdi, Area);
            c.mov(ecx, AreaBytes / 8);
            c.rep.stosq();
            c.jmp(again);
        });
        Vcpu cpu = guest.Processor;
        cpu.Run(1);
        long before = cpu.InstructionsRetired;
        using Task stopping = Task.Run(async () =>
        {
            await Task.Delay(1);
            cpu.RequestStop();
        });
        ExitReason reason = cpu.Run(1L << 40);
        await stopping;
        Assert.Equal(ExitReason.StopRequested, reason);
        return (cpu.InstructionsRetired - before) % Slice != 0;
    }
}
