# Dot-sourced by the test files: imports the module as a user would, with a home folder of its own.

function Enter-TestHome {
    $script:savedHome = $env:VIRTSHELL_HOME
    $script:testHome = Join-Path ([System.IO.Path]::GetTempPath()) "virtshell-pester-$([guid]::NewGuid().ToString('N'))"
    $null = New-Item -ItemType Directory -Path $script:testHome
    $env:VIRTSHELL_HOME = $script:testHome
    Import-Module (Join-Path $PSScriptRoot '../../VirtShell.psd1') -Force
    $script:testHome
}

function Clear-TestVM {
    Get-VM | Where-Object State -NE Off | Stop-VM -TurnOff
    Get-VM | Remove-VM -Force
}

function Exit-TestHome {
    Clear-TestVM
    Remove-Module VirtShell
    $env:VIRTSHELL_HOME = $script:savedHome
    Remove-Item -Recurse -Force $script:testHome
}
