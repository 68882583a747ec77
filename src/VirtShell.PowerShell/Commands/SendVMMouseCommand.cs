using System.Linq;
using System.Management.Automation;
using VirtShell.Machine.Input;

namespace VirtShell.PowerShell.Commands;

/// <summary>Send-VMMouse: moves a VM's mouse, turns its wheel, presses its buttons.</summary>
[Cmdlet(VerbsCommunications.Send, "VMMouse", DefaultParameterSetName = ByName, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(VirtualMachine))]
public sealed class SendVMMouseCommand : VmTargetCmdlet
{
    [Parameter]
    [ValidateRange(-MachineMouse.MostCounts, MachineMouse.MostCounts)]
    public int X { get; set; }

    [Parameter]
    [ValidateRange(-MachineMouse.MostCounts, MachineMouse.MostCounts)]
    public int Y { get; set; }

    [Parameter]
    [ValidateRange(-MachineMouse.MostCounts, MachineMouse.MostCounts)]
    public int Wheel { get; set; }

    [Parameter]
    public MouseButtons[]? Click { get; set; }

    [Parameter]
    public MouseButtons[]? Hold { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void BeginProcessing()
    {
        if (X == 0 && Y == 0 && Wheel == 0 && Click is null && Hold is null)
        {
            ThrowTerminatingError(VmErrors.Argument("NothingToSend", "Give a movement (-X, -Y, -Wheel), or buttons (-Click, -Hold).", null, "Example: Send-VMMouse desktop -X 40 -Y -10 -Click Left"));
        }
    }

    protected override void ProcessVm(VirtualMachine vm)
    {
        if (!Confirm("move the mouse of", vm.Name))
        {
            return;
        }

        MouseButtons held = Together(Hold);
        vm.Vm.UseMouse(mouse =>
        {
            if (X != 0 || Y != 0 || Wheel != 0)
            {
                mouse.Move(X, Y, Wheel);
            }

            if (Hold is not null)
            {
                mouse.Press(held);
            }

            if (Click is not null)
            {
                mouse.Press(held | Together(Click));
                mouse.Press(held);
            }
        });
        if (Passthru)
        {
            WriteObject(vm);
        }
    }

    private static MouseButtons Together(MouseButtons[]? buttons) => (buttons ?? []).Aggregate(MouseButtons.None, static (all, one) => all | one);
}
