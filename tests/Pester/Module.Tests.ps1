#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'VirtShell module' {
    BeforeAll {
        . $PSScriptRoot/Common.ps1
        $testHome = Enter-TestHome
    }

    AfterAll {
        Exit-TestHome
    }

    It 'has a valid manifest' {
        (Test-ModuleManifest (Join-Path $PSScriptRoot '../../VirtShell.psd1')).Name | Should -Be 'VirtShell'
    }

    It 'exports <_>' -ForEach @(
        'Get-VM', 'Get-VMCrashReport', 'Get-VMSerial', 'Invoke-VMTest', 'Measure-VM', 'New-VM', 'Remove-VM', 'Restart-VM',
        'Resume-VM', 'Send-VMSerial', 'Set-VM', 'Start-VM', 'Stop-VM', 'Suspend-VM', 'Wait-VM'
    ) {
        (Get-Command $_ -Module VirtShell).CommandType | Should -Be 'Cmdlet'
    }

    It 'explains <_> with synopsis, description, parameters and examples' -ForEach @(
        'Get-VM', 'Get-VMCrashReport', 'Get-VMSerial', 'Invoke-VMTest', 'Measure-VM', 'New-VM', 'Remove-VM', 'Restart-VM',
        'Resume-VM', 'Send-VMSerial', 'Set-VM', 'Start-VM', 'Stop-VM', 'Suspend-VM', 'Wait-VM'
    ) {
        $help = Get-Help "VirtShell\$_" -Full
        $help.Synopsis | Should -Match '\.$'
        $help.description.Text | Should -Not -BeNullOrEmpty
        $help.examples.example.Count | Should -BeGreaterThan 0
        foreach ($parameter in $help.parameters.parameter) {
            $parameter.description.Text | Should -Not -BeNullOrEmpty -Because "-$($parameter.name) of $_ needs a word"
        }
    }

    It 'uses approved verbs' {
        $verbs = (Get-Verb).Verb
        Get-Command -Module VirtShell | ForEach-Object { $verbs | Should -Contain $_.Verb }
    }

    It 'keeps its libraries out of the default load context' {
        $null = Get-VM
        $default = [System.Runtime.Loader.AssemblyLoadContext]::Default.Assemblies.GetName().Name
        $default | Should -Contain 'VirtShell.PowerShell'
        $default | Should -Not -Contain 'VirtShell.Host'
        $default | Should -Not -Contain 'Iced'
        $default | Should -Not -Contain 'YamlDotNet'
    }
}
