#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0' }

Describe 'Invoke-VMTest' {
    BeforeAll {
        . $PSScriptRoot/Common.ps1
        $testHome = Enter-TestHome
        $suite = Join-Path $testHome 'my suite.yaml'
        Set-Content $suite @'
suite: pester
tests:
  - name: greeting
    matrix:
      guest: [hello, hello64]
    vm:
      guest: ${{ matrix.guest }}
      memory: 16M
    assert:
      end: poweroff
  - name: wrong
    vm: {guest: hello, memory: 16M}
    assert:
      end: triple-fault
'@
    }

    AfterAll {
        Exit-TestHome
    }

    It 'gives a result for each item, and one error for those that did not pass' {
        $results = Invoke-VMTest $suite -ErrorVariable errors -ErrorAction SilentlyContinue
        $results.Count | Should -Be 3
        ($results | Where-Object Outcome -EQ Passed).Count | Should -Be 2
        $failed = @($results | Where-Object Outcome -EQ Failed)
        $failed.Count | Should -Be 1
        $failed[0].Test | Should -Be 'wrong'
        $failed[0].SerialText | Should -Match 'Hello from VirtShell'
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VirtShell.TestsFailed,*'
    }

    It 'takes files from the pipeline and filters' {
        $results = @(Get-ChildItem $testHome -Filter *.yaml | Invoke-VMTest -Filter hello64)
        $results.Count | Should -Be 1
        $results[0].Matrix['guest'] | Should -Be 'hello64'
    }

    It 'writes reports' {
        $reports = Join-Path $testHome reports
        $run = Invoke-VMTest $suite -ReportPath $reports -Summary -ErrorAction SilentlyContinue
        $run.Total | Should -Be 3
        $run.Success | Should -BeFalse
        $run.ReportPath | Should -Exist
        Join-Path $reports junit.xml | Should -Exist
    }

    It 'says where a suite is wrong' {
        $broken = Join-Path $testHome broken.yaml
        (Get-Content $suite -Raw) -replace 'memory: 16M', 'memori: 16M' | Set-Content $broken
        { Invoke-VMTest $broken -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.SuiteInvalid*' -ExpectedMessage '*broken.yaml:8:*'
        Remove-Item $broken
    }

    It 'says that a suite is not there' {
        { Invoke-VMTest (Join-Path $testHome none.yaml) -ErrorAction Stop } | Should -Throw -ErrorId 'VirtShell.SuiteNotFound*'
    }
}
