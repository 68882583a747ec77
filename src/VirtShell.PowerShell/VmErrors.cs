using System;
using System.Globalization;
using System.IO;
using System.Management.Automation;
using VirtShell.Harness;
using VirtShell.Host;
using VirtShell.Images;

namespace VirtShell.PowerShell;

/// <summary>
/// Makes every error record of the module: a stable id (scripts may rely on it), the category that fits, the object
/// concerned as the target, and what to do next.
/// </summary>
internal static class VmErrors
{
    private const string ReportIt = "This is an error in VirtShell: please report it, with the command that you ran.";

    internal static ErrorRecord NotFound(string name) => Make(
        "VMNotFound",
        ErrorCategory.ObjectNotFound,
        name,
        new ItemNotFoundException($"There is no VM named '{name}'."),
        "List the VMs with Get-VM, or create this one with New-VM.");

    internal static ErrorRecord NotFound(Guid id) => Make(
        "VMNotFound",
        ErrorCategory.ObjectNotFound,
        id,
        new ItemNotFoundException($"There is no VM with the id {id}."),
        "List the VMs and their ids with: Get-VM | Select-Object Name, Id");

    internal static ErrorRecord Deleted(VirtualMachine vm) => Make(
        "VMNotFound",
        ErrorCategory.ObjectNotFound,
        vm,
        new ItemNotFoundException($"The VM '{vm.Name}' was removed."),
        "Get current VM objects with Get-VM.");

    internal static ErrorRecord Drive(VirtualMachine vm, string what, int found) => Make(
        found == 0 ? "DriveNotFound" : "DriveAmbiguous",
        found == 0 ? ErrorCategory.ObjectNotFound : ErrorCategory.InvalidArgument,
        vm,
        new ItemNotFoundException(found == 0 ? $"The VM '{vm.Name}' has no such {what}." : $"The VM '{vm.Name}' has {found} drives that this could mean: {what} is not clear."),
        found == 0 ? "Look at what there is with the Get- cmdlet of the same noun, or add one with the Add- cmdlet." : "Say which with -ControllerNumber and -ControllerLocation.");

    internal static ErrorRecord InvalidState(VirtualMachine vm, string message, string action) => Make(
        "InvalidVMState", ErrorCategory.InvalidOperation, vm, new InvalidOperationException(message), action);

    internal static ErrorRecord ShutdownTimeout(VirtualMachine vm, TimeSpan timeout) => Make(
        "ShutdownTimeout",
        ErrorCategory.OperationTimeout,
        vm,
        new TimeoutException($"'{vm.Name}' did not shut down within {Seconds(timeout)} after its power button was pressed, and is still running."),
        "Give it longer with -Timeout, or use -Force (ask, wait, then turn off) or -TurnOff (pull the plug).");

    internal static ErrorRecord WaitTimeout(VirtualMachine vm, string condition, TimeSpan timeout, bool guestTime) => Make(
        "WaitTimeout",
        ErrorCategory.OperationTimeout,
        vm,
        new TimeoutException($"'{vm.Name}' {condition} within {Seconds(timeout)}{(guestTime ? " of guest time" : string.Empty)}."),
        "Look at what the guest printed with Get-VMSerial -Tail 20, or raise -Timeout or -GuestTimeout.");

    internal static ErrorRecord WaitEnded(VirtualMachine vm, string condition) => Make(
        "WaitEnded",
        ErrorCategory.InvalidResult,
        vm,
        new InvalidOperationException($"'{vm.Name}' {condition}: it is {vm.State.ToString().ToLowerInvariant()} ({vm.Status})."),
        vm.HasCrashReport ? "See Get-VMCrashReport and Get-VMSerial." : "See what the guest printed with Get-VMSerial, and start it with Start-VM.");

    internal static ErrorRecord Argument(string id, string message, object? target, string action = "") => Make(
        id, ErrorCategory.InvalidArgument, target, new ArgumentException(message), action);

    internal static ErrorRecord ImageNotFound(string source, string path) => Make(
        "ImageNotFound",
        ErrorCategory.ObjectNotFound,
        source,
        new FileNotFoundException($"'{path}' does not exist.", path),
        "Give the path of an existing file, apt:PACKAGE#PATTERN, or an https: URL with its SHA-256.");

    internal static ErrorRecord SuiteNotFound(string path) => Make(
        "SuiteNotFound",
        ErrorCategory.ObjectNotFound,
        path,
        new FileNotFoundException($"There is no suite file '{path}'.", path),
        "Give the path of a suite (.yaml); wildcards are allowed.");

    internal static ErrorRecord SuiteInvalid(SuiteDiagnostic diagnostic) => Make(
        "SuiteInvalid", ErrorCategory.ParserError, diagnostic, new InvalidDataException(diagnostic.ToString()), "Correct the suite; nothing was run.");

    internal static ErrorRecord SuiteInvalid(SuiteException error, object? target) => Make(
        "SuiteInvalid", ErrorCategory.ParserError, target, error, "Correct the suite or the filter; nothing was run.");

    internal static ErrorRecord TestsFailed(int notPassed, int all, string names, object target) => Make(
        "TestsFailed",
        ErrorCategory.InvalidResult,
        target,
        new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{notPassed} of {all} test items did not pass: {names}")),
        "See each result's Message, Steps and SerialText, or the HTML report (-ReportPath).");

    /// <summary>The record for an exception that came out of the host, the harness or the file system.</summary>
    internal static ErrorRecord From(Exception error, object? target) => error switch
    {
        VmException e => Make(Id(e.Kind), Category(e.Kind), target, e, Action(e.Kind)),
        ImageException e => Make("ImageUnavailable", ErrorCategory.ObjectNotFound, target, e, string.Empty),
        UnauthorizedAccessException e => Make("AccessDenied", ErrorCategory.PermissionDenied, target, e, "Check who owns the file or folder."),
        IOException e => Make("StorageFailed", ErrorCategory.DeviceError, target, e, "Check that the file exists, can be written and that the disk is not full."),
        _ => Make("EngineError", ErrorCategory.NotSpecified, target, error, ReportIt),
    };

    /// <summary>A length of time for people: "90 s", "0.5 s".</summary>
    internal static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");

    private static string Id(VmErrorKind kind) => kind switch
    {
        VmErrorKind.InvalidDefinition => "InvalidVMDefinition",
        VmErrorKind.NameInUse => "VMNameInUse",
        VmErrorKind.NotFound => "VMNotFound",
        VmErrorKind.InvalidState => "InvalidVMState",
        VmErrorKind.ImageNotFound => "ImageNotFound",
        VmErrorKind.ImageInvalid => "ImageInvalid",
        VmErrorKind.StateInvalid => "VMStateInvalid",
        VmErrorKind.StorageFailed => "StorageFailed",
        VmErrorKind.OutOfResources => "OutOfResources",
        VmErrorKind.Timeout => "Timeout",
        VmErrorKind.EngineFailed => "EngineError",
        _ => kind.ToString(),
    };

    private static ErrorCategory Category(VmErrorKind kind) => kind switch
    {
        VmErrorKind.InvalidDefinition => ErrorCategory.InvalidArgument,
        VmErrorKind.NameInUse => ErrorCategory.ResourceExists,
        VmErrorKind.NotFound or VmErrorKind.ImageNotFound => ErrorCategory.ObjectNotFound,
        VmErrorKind.InvalidState => ErrorCategory.InvalidOperation,
        VmErrorKind.ImageInvalid or VmErrorKind.StateInvalid => ErrorCategory.InvalidData,
        VmErrorKind.StorageFailed => ErrorCategory.DeviceError,
        VmErrorKind.OutOfResources => ErrorCategory.ResourceUnavailable,
        VmErrorKind.Timeout => ErrorCategory.OperationTimeout,
        _ => ErrorCategory.NotSpecified,
    };

    private static string Action(VmErrorKind kind) => kind switch
    {
        VmErrorKind.InvalidDefinition => "See Get-Help New-VM -Full for what is allowed.",
        VmErrorKind.NameInUse => "Choose another name, or remove the other VM with Remove-VM.",
        VmErrorKind.NotFound => "List the VMs with Get-VM.",
        VmErrorKind.InvalidState => "See the VM's state with Get-VM.",
        VmErrorKind.ImageNotFound or VmErrorKind.ImageInvalid => "Correct the image with Set-VM.",
        VmErrorKind.StateInvalid => "Start the VM anew, or take a state that was saved of it.",
        VmErrorKind.StorageFailed => "Check that the image and the disk that it is on are still there.",
        VmErrorKind.OutOfResources => "Stop other VMs, or give this one less memory with Set-VM -MemoryStartupBytes.",
        VmErrorKind.Timeout => "Give it more time.",
        VmErrorKind.EngineFailed => ReportIt,
        _ => string.Empty,
    };

    private static ErrorRecord Make(string id, ErrorCategory category, object? target, Exception error, string action)
    {
        ErrorRecord record = new(error, "VirtShell." + id, category, target);
        if (action.Length > 0)
        {
            record.ErrorDetails = new ErrorDetails(error.Message) { RecommendedAction = action };
        }

        return record;
    }
}
