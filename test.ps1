# Builds everything once and runs every test project. The last line is "N passed, N failed, N skipped".
param(
    [string] $Filter,
    [string[]] $Project = @(),
    [string] $Soak,
    [string] $Engine,
    [switch] $NoBuild
)

Set-Location -LiteralPath $PSScriptRoot
$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
if ($Soak) {
    $env:VIRTSHELL_SOAK = $Soak
}

if ($Engine) {
    $env:VIRTSHELL_ENGINE = $Engine
}

if (-not (Get-Command dotnet -ErrorAction Ignore)) {
    [Console]::Error.WriteLine("test: the .NET 10 SDK is needed and no 'dotnet' was found. Install it from https://dot.net.")
    exit 1
}

if (-not $NoBuild) {
    'Building ...'
    $output = dotnet build VirtShell.sln -c Release -v quiet --nologo -clp:NoSummary 2>&1
    if ($LASTEXITCODE -ne 0) {
        $output
        'The build failed.'
        '0 passed, 1 failed, 0 skipped'
        exit 1
    }
}

$passed = 0
$failed = 0
$skipped = 0
foreach ($folder in Get-ChildItem -Directory -Path tests/*.Tests) {
    $name = $folder.Name
    if ($Project.Count -gt 0 -and -not ($Project | Where-Object { $name -like "*$_*" })) {
        continue
    }
    $assembly = Join-Path $folder.FullName "bin/Release/net10.0/$name.dll"
    if (-not (Test-Path -LiteralPath $assembly)) {
        '{0,-32} not built' -f $name
        $failed++
        continue
    }

    $arguments = @('vstest', $assembly, '--logger:console;verbosity=normal')
    if ($Filter) {
        $arguments += "--TestCaseFilter:$Filter"
    }
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $log = @(dotnet @arguments 2>&1 | ForEach-Object { "$_" })
    $status = $LASTEXITCODE
    $count = @{ 'Passed' = 0; 'Failed' = 0; 'Skipped' = 0; 'Total tests' = -1 }
    foreach ($line in $log) {
        if ($line -match '^ *(Passed|Failed|Skipped|Total tests): *(\d+)') {
            $count[$Matches[1]] = [int]$Matches[2]
        }
    }
    $isEmpty = $count['Total tests'] -lt 0 -and $status -eq 0 -and ($log -match '^No test (matches|is available)')
    if (-not $isEmpty -and ($count['Total tests'] -lt 0 -or ($status -ne 0 -and $count['Failed'] -eq 0))) {
        $count['Failed']++
        $log
    }

    $passed += $count['Passed']
    $failed += $count['Failed']
    $skipped += $count['Skipped']
    if (-not $isEmpty) {
        '{0,-32} {1,5} passed {2,3} failed {3,3} skipped  {4,4:0} s' -f $name, $count['Passed'], $count['Failed'], $count['Skipped'], $watch.Elapsed.TotalSeconds
    }
    # Why tests were skipped, each reason once.
    $reasons = for ($i = 0; $i -lt $log.Count - 1; $i++) {
        if ($log[$i] -match ' \[SKIP\]$') {
            $log[$i + 1] -replace '^\[xUnit[^\]]*\] +', ''
        }
    }
    $reasons | Group-Object | ForEach-Object { "    $($_.Count) skipped: $($_.Name)" }
    if ($count['Failed'] -gt 0) {
        $log | Where-Object { $_ -and $_ -notmatch '^ +Passed |^\[xUnit|^(Starting|A total|Test Run|Total tests| +(Passed|Failed|Skipped):)' } | ForEach-Object { "    $_" }
    }
}

"$passed passed, $failed failed, $skipped skipped"
exit [int]($failed -gt 0)
