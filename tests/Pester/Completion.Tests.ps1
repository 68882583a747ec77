#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'Tab completion' {
    BeforeAll {
        . $PSScriptRoot/Common.ps1
        $testHome = Enter-TestHome
        'alpha', 'beta', 'b c', "b'd" | ForEach-Object { $null = New-VM $_ -Guest hello }

        function Complete([string] $text) {
            (TabExpansion2 $text $text.Length).CompletionMatches
        }
    }

    AfterAll {
        Exit-TestHome
    }

    It 'completes <Text> to <Expected>' -ForEach @(
        @{ Text = 'Start-VM al'; Expected = @('alpha') }
        @{ Text = 'Get-VM -Name AL'; Expected = @('alpha') }
        @{ Text = 'Stop-VM b'; Expected = @("'b c'", "'b''d'", 'beta') }
        @{ Text = "Get-VM 'b c"; Expected = @("'b c'") }
        @{ Text = 'New-VM x -Engine '; Expected = @('Auto', 'Interpreter', 'Translator') }
        @{ Text = 'Wait-VM x -State Cr'; Expected = @('Crashed') }
        @{ Text = 'New-VM x -CpuModel X86_64_V3'; Expected = @('X86_64_V3') }
    ) {
        (Complete $Text).CompletionText | Sort-Object | Should -Be ($Expected | Sort-Object)
    }

    It 'completes bundled guests and says what they are for' {
        $hello = Complete 'New-VM x -Guest hello' | Where-Object CompletionText -EQ hello
        $hello.ToolTip | Should -Match 'greeting'
    }

    It 'completes suites, and no other files' {
        Push-Location $testHome
        try {
            Set-Content 'smoke test.yaml' ''
            Set-Content 'small.txt' ''
            $null = New-Item -ItemType Directory sm-folder
            (Complete 'Invoke-VMTest sm').ListItemText | Sort-Object | Should -Be 'sm-folder', 'smoke test.yaml'
            (Complete 'Invoke-VMTest smoke').CompletionText | Should -BeLike "*'*smoke test.yaml'"
        }
        finally {
            Pop-Location
        }
    }
}
