# Loads the cmdlets. Only VirtShell.PowerShell.dll becomes visible to PowerShell: what it stands on (Iced, YamlDotNet …)
# is loaded from lib/ into an AssemblyLoadContext of its own, so that other modules can bring other versions.
# Nothing here uses a cmdlet outside Microsoft.PowerShell.Core, so the module also loads in minimal runspaces.

$layout = [System.IO.Path]::Combine($PSScriptRoot, 'bin')                      # a published module
if (-not [System.IO.Directory]::Exists($layout)) {
    $layout = [System.IO.Path]::GetFullPath([System.IO.Path]::Combine($PSScriptRoot, '..', 'artifacts', 'module'))  # a build in the repository
}

$cmdlets = [System.IO.Path]::Combine($layout, 'VirtShell.PowerShell.dll')
if (-not [System.IO.File]::Exists($cmdlets)) {
    $project = [System.IO.Path]::GetFullPath([System.IO.Path]::Combine($PSScriptRoot, '..', 'src', 'VirtShell.PowerShell'))
    $message = "VirtShell has not been built yet: '$cmdlets' is missing. Build it once with the .NET 10 SDK, then import the module again:`n`n    dotnet build -c Release '$project'`n"
    throw [System.Management.Automation.ErrorRecord]::new(
        [System.IO.FileNotFoundException]::new($message, $cmdlets),
        'VirtShell.NotBuilt',
        [System.Management.Automation.ErrorCategory]::NotInstalled,
        $cmdlets)
}

$null = [System.Reflection.Assembly]::LoadFrom($cmdlets)
[VirtShell.PowerShell.Loading.DependencyLoadContext]::Register([System.IO.Path]::Combine($layout, 'lib'))

# Another module's Get-VM would be hidden without a word; say so and say how to reach both.
$hidden = $ExecutionContext.InvokeCommand.GetCommands('Get-VM', 'Cmdlet,Function', $false).Where({ $_.ModuleName -and $_.ModuleName -ne 'VirtShell' -and $_.Module })
foreach ($command in $hidden) {
    $Host.UI.WriteWarningLine("The module '$($command.ModuleName)' has a Get-VM of its own. Until one of the two is removed, write VirtShell\Get-VM and $($command.ModuleName)\Get-VM to say which you mean, or import VirtShell with -Prefix.")
}

Import-Module -Name $cmdlets
[VirtShell.PowerShell.Loading.ModuleSession]::Enter($ExecutionContext)
$MyInvocation.MyCommand.ScriptBlock.Module.OnRemove = {
    [VirtShell.PowerShell.Loading.ModuleSession]::Leave($ExecutionContext)
}

Export-ModuleMember -Cmdlet *
