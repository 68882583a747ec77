@{
    RootModule             = 'module/VirtShell.psm1'
    ModuleVersion          = '0.1.0'
    GUID                   = '3b7f2c1e-9a54-4d0e-8c63-5f1d2a7e4b90'
    Author                 = 'VirtShell contributors'
    CompanyName            = 'VirtShell contributors'
    Copyright              = '(c) VirtShell contributors. MIT licence.'
    Description            = 'Runs whole x86 PCs inside the PowerShell process, and tests them with suites.'
    PowerShellVersion      = '7.6'
    CompatiblePSEditions   = @('Core')
    TypesToProcess         = @('module/VirtShell.Types.ps1xml')
    FormatsToProcess       = @('module/VirtShell.Format.ps1xml')
    CmdletsToExport        = @(
        'Add-VMDvdDrive'
        'Add-VMFloppyDiskDrive'
        'Add-VMHardDiskDrive'
        'Get-VM'
        'Get-VMCrashReport'
        'Get-VMDvdDrive'
        'Get-VMFloppyDiskDrive'
        'Get-VMHardDiskDrive'
        'Get-VMScreen'
        'Get-VMSerial'
        'Invoke-VMTest'
        'Measure-VM'
        'New-VM'
        'Remove-VM'
        'Remove-VMDvdDrive'
        'Remove-VMFloppyDiskDrive'
        'Remove-VMHardDiskDrive'
        'Restart-VM'
        'Resume-VM'
        'Send-VMKey'
        'Send-VMMouse'
        'Send-VMSerial'
        'Set-VM'
        'Set-VMDvdDrive'
        'Set-VMFloppyDiskDrive'
        'Set-VMHardDiskDrive'
        'Start-VM'
        'Stop-VM'
        'Suspend-VM'
        'Wait-VM'
    )
    FunctionsToExport      = @()
    AliasesToExport        = @()
    VariablesToExport      = @()
    PrivateData            = @{
        PSData = @{
            Tags       = @('VirtualMachine', 'VM', 'Emulator', 'Hypervisor', 'Testing', 'Linux', 'x86')
        }
    }
}
