#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'VM definitions' {
    BeforeAll {
        . $PSScriptRoot/Common.ps1
        $testHome = Enter-TestHome
    }

    AfterEach {
        Clear-TestVM
    }

    AfterAll {
        Exit-TestHome
    }

    It 'New-VM gives out a VM that is off' {
        $vm = New-VM -Name first -MemoryStartupBytes 64MB -Guest hello -Notes 'my note'
        $vm.Name | Should -Be 'first'
        $vm.State | Should -Be 'Off'
        $vm.MemoryStartup | Should -Be 64MB
        $vm.MemoryAssigned | Should -Be 0
        $vm.Notes | Should -Be 'my note'
        $vm.PSObject.TypeNames[0] | Should -Be 'VirtShell.PowerShell.VirtualMachine'
    }

    It 'Get-VM finds by name, wildcard, array, id and pipeline' {
        'alpha', 'beta', 'alphabet' | ForEach-Object { $null = New-VM $_ -Guest hello }
        (Get-VM).Name | Should -Be 'alpha', 'alphabet', 'beta'
        (Get-VM ALPHA).Name | Should -Be 'alpha'
        (Get-VM alpha*).Name | Should -Be 'alpha', 'alphabet'
        (Get-VM beta, alpha).Name | Should -Be 'beta', 'alpha'
        ('beta', 'alpha' | Get-VM).Name | Should -Be 'beta', 'alpha'
        ([pscustomobject]@{ VMName = 'beta' } | Get-VM).Name | Should -Be 'beta'
        (Get-VM -Id (Get-VM beta).Id).Name | Should -Be 'beta'
    }

    It 'a name that is not there is an error with id, category and target' {
        $found = Get-VM nobody -ErrorVariable errors -ErrorAction SilentlyContinue
        $found | Should -BeNullOrEmpty
        $errors.Count | Should -Be 1
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VirtShell.VMNotFound,*'
        $errors[0].CategoryInfo.Category | Should -Be 'ObjectNotFound'
        $errors[0].TargetObject | Should -Be 'nobody'
    }

    It 'a wildcard that matches nothing is no error' {
        { Get-VM nobody* -ErrorAction Stop } | Should -Not -Throw
    }

    It '<Script> fails with <Id>' -ForEach @(
        @{ Script = "New-VM 'a*b' -Guest hello"; Id = 'VirtShell.InvalidVMDefinition*' }
        @{ Script = 'New-VM a -Guest hello -MemoryStartupBytes 1000'; Id = 'VirtShell.InvalidVMDefinition*' }
        @{ Script = 'New-VM a -Kernel ./no-such-kernel'; Id = 'VirtShell.ImageNotFound*' }
        @{ Script = 'Start-VM nobody'; Id = 'VirtShell.VMNotFound*' }
        @{ Script = 'Remove-VM nobody -Force'; Id = 'VirtShell.VMNotFound*' }
    ) {
        { & ([scriptblock]::Create("$Script -ErrorAction Stop")) } | Should -Throw -ErrorId $Id
    }

    It 'a taken name is an error' {
        $null = New-VM alpha -Guest hello
        { New-VM ALPHA -Guest hello -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.VMNameInUse*'
    }

    It 'paths are relative to the current location' {
        Push-Location $testHome
        try {
            Set-Content 'my kernel' x
            (New-VM a -Kernel './my kernel').Kernel | Should -Be (Join-Path $testHome 'my kernel')
        }
        finally {
            Pop-Location
        }
    }

    It 'Set-VM changes what is given and nothing else' {
        $null = New-VM a 64MB -Guest hello -Notes n
        $vm = Set-VM a -MemoryStartupBytes 128MB -Clock Virtual -Passthru
        $vm.MemoryStartup | Should -Be 128MB
        $vm.Clock | Should -Be 'Virtual'
        $vm.Notes | Should -Be 'n'
        Set-VM a -NewVMName b
        (Get-VM).Name | Should -Be 'b'
    }

    It '-WhatIf changes nothing' {
        New-VM a -Guest hello -WhatIf | Should -BeNullOrEmpty
        Get-VM | Should -BeNullOrEmpty
        $null = New-VM a 64MB -Guest hello
        Set-VM a -MemoryStartupBytes 1GB -WhatIf
        Start-VM a -WhatIf
        Remove-VM a -WhatIf
        (Get-VM a).State | Should -Be 'Off'
        (Get-VM a).MemoryStartup | Should -Be 64MB
    }

    It 'Remove-VM takes objects and names' {
        'a', 'b', 'c' | ForEach-Object { $null = New-VM $_ -Guest hello }
        Get-VM a | Remove-VM -Force
        Remove-VM b -Confirm:$false
        'c' | Remove-VM -Force
        Get-VM | Should -BeNullOrEmpty
    }

    It 'the table of VMs fits 80 columns' {
        $null = New-VM short 64MB -Guest hello
        $null = New-VM ('a long name ' * 8).Trim() 8GB -Guest hello
        $lines = (Get-VM | Out-String -Width 80) -replace '\x1b\[[0-9;]*m' -split '\r?\n'
        ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 80
        $lines | Should -Contain 'Name                   State    CPU(%) Memory(M)      Uptime Status'
    }

    It 'another process sees the definition' {
        $null = New-VM kept -Guest hello -Notes 'still here'
        $manifest = Join-Path $PSScriptRoot '../../VirtShell.psd1'
        & (Get-Process -Id $PID).Path -NoProfile -Command "Import-Module '$manifest'; (Get-VM kept).Notes" | Should -Be 'still here'
    }
}
