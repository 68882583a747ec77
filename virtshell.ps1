# Runs VirtShell's console program; builds it first where it has not been built or its sources have changed.
$ErrorActionPreference = 'Stop'
$root = $PSScriptRoot
$program = Join-Path $root 'src/VirtShell.Cli/bin/Release/net10.0/virtshell.dll'
$stamp = Join-Path $root 'artifacts/virtshell.stamp'
$log = Join-Path $root 'artifacts/virtshell-build.log'
$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

function Test-Current {
    if (-not (Test-Path -LiteralPath $program) -or -not (Test-Path -LiteralPath $stamp)) {
        return $false
    }
    $built = (Get-Item -LiteralPath $stamp).LastWriteTimeUtc
    $changed = @(Get-ChildItem -LiteralPath (Join-Path $root 'src'), (Join-Path $root 'build') -Recurse -File) + @(Get-ChildItem -Path (Join-Path $root 'Directory.*.props')) |
        Where-Object { $_.LastWriteTimeUtc -gt $built -and $_.FullName -notmatch '[\\/](bin|obj)([\\/]|$)' } |
        Select-Object -First 1
    return $null -eq $changed
}

if (-not (Get-Command dotnet -ErrorAction Ignore)) {
    [Console]::Error.WriteLine("virtshell: the .NET 10 SDK is needed and no 'dotnet' was found. Install it from https://dot.net, then run this again.")
    exit 1
}

if (-not (Test-Current)) {
    $sdks = @(dotnet --list-sdks)
    if (-not ($sdks -match '^(1[0-9]|[2-9][0-9])\.')) {
        [Console]::Error.WriteLine("virtshell: the .NET 10 SDK is needed; 'dotnet' has only: $($sdks -join ', '). Install it from https://dot.net, then run this again.")
        exit 1
    }
    $null = New-Item -ItemType Directory -Force -Path (Join-Path $root 'artifacts')
    [Console]::Error.WriteLine('Building VirtShell ...')
    $started = [DateTime]::UtcNow
    dotnet build (Join-Path $root 'src/VirtShell.Cli') -c Release -v quiet --nologo -clp:NoSummary *> $log
    if ($LASTEXITCODE -ne 0) {
        Get-Content -LiteralPath $log | ForEach-Object { [Console]::Error.WriteLine($_) }
        [Console]::Error.WriteLine("virtshell: the build failed (its output is above and in $log).")
        exit 1
    }
    $null = New-Item -ItemType File -Force -Path $stamp
    (Get-Item -LiteralPath $stamp).LastWriteTimeUtc = $started
}

dotnet $program @args
exit $LASTEXITCODE
