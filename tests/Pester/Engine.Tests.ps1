#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'The engine' {
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

    It 'is part of the definition' {
        (New-VM plain 16MB -Guest hello).Engine | Should -Be 'Auto'
        (New-VM slow 16MB -Guest hello -Engine Interpreter).Engine | Should -Be 'Interpreter'
        (Set-VM slow -Engine Translator -Passthru).Engine | Should -Be 'Translator'
        (Get-VM slow | Format-List | Out-String) | Should -Match 'Engine\s+: Translator'
        { New-VM bad -Guest hello -Engine Compiler } | Should -Throw
    }

    It 'changes while the VM runs, and nothing else does' {
        New-VM shell 64MB -Guest echo | Start-VM -Passthru | Wait-VM -Text '> ' -Timeout 60
        Set-VM shell -Engine Interpreter
        (Measure-VM shell -Engine).Engine | Should -Be 'Interpreter'
        { Set-VM shell -MemoryStartupBytes 32MB -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.InvalidVMState*'
        Stop-VM shell -TurnOff
    }

    It 'Measure-VM gives what a VM used, and with -Engine what the engine did' {
        New-VM hello 16MB -Guest hello -Clock Virtual -Engine Interpreter | Start-VM -Passthru | Wait-VM -Timeout 60
        $used = Measure-VM hello
        $used.VMName | Should -Be 'hello'
        $used.MaximumMemoryUsage | Should -Be 1
        $used.Instructions | Should -Be (Get-VM hello).Instructions
        $did = Get-VM hello | Measure-VM -Engine
        $did.InstructionsInterpreted | Should -Be $used.Instructions
        $did.TranslatedShare | Should -Be 0
        ($did | Out-String) | Should -Match 'TLB misses'
        (Measure-VM hello | Out-String -Width 80) | Should -Match 'AvgCPU\(%\)'
    }
}
