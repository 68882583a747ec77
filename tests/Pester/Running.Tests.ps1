#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'Running VMs' {
    BeforeAll {
        . $PSScriptRoot/Common.ps1
        $testHome = Enter-TestHome

        function Start-Echo([string] $name) {
            New-VM $name 64MB -Guest echo | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60
        }
    }

    AfterEach {
        Clear-TestVM
    }

    AfterAll {
        Exit-TestHome
    }

    It 'a guest runs to its end in one pipeline' {
        $serial = New-VM hello -Guest hello -Clock Virtual | Start-VM -Passthru | Wait-VM -Timeout 60 -Passthru | Get-VMSerial
        $serial | Should -Contain 'Hello from VirtShell: a 32-bit guest with 256 MiB of memory.'
        (Get-VM hello).State | Should -Be 'Off'
        (Get-VM hello).End | Should -Be 'PowerOff'
    }

    It 'a conversation over the serial port' {
        Start-Echo shell
        Send-VMSerial shell 'echo one two' -Passthru | Wait-VM -Text '> ' -AfterSend -Timeout 60
        Get-VMSerial shell -AfterSend | Should -Be 'echo one two', 'one two', '> '
        Get-VMSerial shell -Tail 2 | Should -Be 'one two', '> '
        Get-VMSerial shell -Raw | Should -BeLike "*one two`r`n> "
    }

    It 'Stop-VM asks the guest and waits' {
        Start-Echo shell
        (Stop-VM shell -Timeout 60 -Passthru).State | Should -Be 'Off'
        (Get-VM shell).End | Should -Be 'PowerOff'
    }

    It 'Stop-VM says so when the guest does not shut down, and -Force turns it off' {
        New-VM deaf 16MB -Guest busy-loop | Start-VM
        { Stop-VM deaf -Timeout 500ms -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.ShutdownTimeout*'
        (Get-VM deaf).State | Should -Not -Be 'Off'
        Stop-VM deaf -Timeout 200ms -Force -WarningAction SilentlyContinue
        (Get-VM deaf).State | Should -Be 'Off'
        (Get-VM deaf).End | Should -Be 'TurnedOff'
    }

    It 'a crash leaves a report, and other VMs running' {
        Start-Echo bystander
        New-VM bad 16MB -Guest triple-fault | Start-VM -Passthru | Wait-VM -State Crashed -Timeout 60
        $report = Get-VMCrashReport bad
        $report.Kind | Should -Be 'TripleFault'
        $report.Disassembly | Where-Object { $_.StartsWith('=>') } | Should -HaveCount 1
        $report.Registers['EIP'] | Should -BeGreaterThan 0
        (Get-VMCrashReport bad | Out-String) | Should -Match '=>'
        (Get-VM bystander).State | Should -Be 'Running'
    }

    It 'Wait-VM has limits in host time and in guest time' {
        Start-Echo shell
        { Wait-VM shell -Text never -Timeout 200ms -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.WaitTimeout*'
        { Wait-VM shell -Pattern 'ne+ver' -GuestTimeout 0.1 -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.WaitTimeout*'
    }

    It 'a VM can be paused, resumed and reset' {
        Start-Echo shell
        (Suspend-VM shell -Passthru).State | Should -Be 'Paused'
        (Resume-VM shell -Passthru).State | Should -Be 'Running'
        Restart-VM shell -Force
        Wait-VM shell -Pattern 'Type help[^$]*Type help' -Timeout 60
        (Get-VM shell).State | Should -Be 'Running'
    }

    It 'what needs a VM that is off says so' {
        Start-Echo shell
        { Remove-VM shell -Force -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.InvalidVMState*'
        { Set-VM shell -MemoryStartupBytes 1GB -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.InvalidVMState*'
    }

    It 'VMs are shared by the runspaces of a process' {
        Start-Echo shell
        $manifest = (Get-Module VirtShell).Path -replace 'module[\\/]VirtShell\.psm1$', 'VirtShell.psd1'
        $states = 1..2 | ForEach-Object -Parallel { Import-Module $using:manifest; (Get-VM shell).State.ToString() }
        $states | Should -Be 'Running', 'Running'
        (Get-VM shell).State | Should -Be 'Running'
    }

    It 'a session that ends with VMs running says so and stops them' {
        $manifest = Join-Path $PSScriptRoot '../../VirtShell.psd1'
        $script = "Import-Module '$manifest'; New-VM left 64MB -Guest echo | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60"
        $output = & (Get-Process -Id $PID).Path -NoProfile -Command $script *>&1 | Out-String
        $output | Should -Match 'one VM that is still running: left'
        (Get-VM left).State | Should -Be 'Off'
    }
}
