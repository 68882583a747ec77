using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Linq;
using System.Management.Automation;
using VirtShell.Cpu;
using VirtShell.Harness;
using VirtShell.Harness.Reports;
using VirtShell.Host;
using VirtShell.PowerShell.Completion;

namespace VirtShell.PowerShell.Commands;

/// <summary>
/// Invoke-VMTest: runs suites. Each item's result is given out as soon as it is there; when some did not pass, one
/// error at the end says which, so that -ErrorAction Stop makes a script fail.
/// </summary>
[Cmdlet(VerbsLifecycle.Invoke, "VMTest", DefaultParameterSetName = "Results")]
[OutputType(typeof(VMTestResult), ParameterSetName = ["Results"])]
[OutputType(typeof(VMTestRun), ParameterSetName = ["Summary"])]
[OutputType(typeof(ItemInfo), ParameterSetName = ["List"])]
public sealed class InvokeVMTestCommand : VmCmdlet
{
    private const int NamesInSummary = 5;

    private readonly List<string> _suites = [];

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName", "PSPath", "Suite")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(SuiteFileCompleter))]
    public string[] Path { get; set; } = [];

    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string? Filter { get; set; }

    [Parameter]
    [Alias("ThrottleLimit")]
    [ValidateRange(0, 1024)]
    public int Jobs { get; set; }

    [Parameter]
    [ValidatePattern("^[0-9]+/[0-9]+$")]
    public string? Shard { get; set; }

    [Parameter]
    public SwitchParameter UpdateBaseline { get; set; }

    [Parameter]
    public SwitchParameter UpdateReferences { get; set; }

    [Parameter]
    [ValidateRange(0.01, 1000)]
    public double HostTimeScale { get; set; } = 1;

    [Parameter]
    public EngineKind Engine { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ReportPath { get; set; }

    [Parameter(ParameterSetName = "Summary", Mandatory = true)]
    public SwitchParameter Summary { get; set; }

    [Parameter(ParameterSetName = "List", Mandatory = true)]
    public SwitchParameter List { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            Attempt(path, () => Add(path));
        }
    }

    protected override void EndProcessing()
    {
        if (_suites.Count == 0)
        {
            return;
        }

        SuiteRunOptions options = new()
        {
            SuiteFiles = _suites,
            Filter = Filter,
            Jobs = Jobs,
            UpdateBaseline = UpdateBaseline,
            UpdateReferences = UpdateReferences,
            Shard = ParseShard(),
            HostTimeScale = HostTimeScale,
            Engine = MyInvocation.BoundParameters.ContainsKey(nameof(Engine)) ? Engine : null,
        };
        Attempt(_suites, () =>
        {
            try
            {
                Run(options);
            }
            catch (SuiteException e)
            {
                Report(e);
            }
        });
    }

    private void Add(string path)
    {
        string literal = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path);
        if (File.Exists(literal))
        {
            // Also a file whose name holds wildcard characters, as the pipeline may bring it.
            _suites.Add(literal);
            return;
        }

        Collection<string> found;
        try
        {
            found = SessionState.Path.GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider);
            if (provider.Name != "FileSystem")
            {
                found = [];
            }
        }
        catch (ItemNotFoundException)
        {
            found = [];
        }

        if (found.Count == 0 && !WildcardPattern.ContainsWildcardCharacters(path))
        {
            WriteError(VmErrors.SuiteNotFound(path));
        }

        _suites.AddRange(found);
    }

    private Shard ParseShard()
    {
        if (Shard is null)
        {
            return Harness.Shard.All;
        }

        if (!Harness.Shard.TryParse(Shard, out Shard shard))
        {
            ThrowTerminatingError(VmErrors.Argument("InvalidShard", $"'{Shard}' is no part of a run.", Shard, "Give i/n with i from 1 to n, for example 2/4."));
        }

        return shard;
    }

    private void Run(SuiteRunOptions options)
    {
        if (List)
        {
            WriteObject(SuiteRunner.List(options), enumerateCollection: true);
            return;
        }

        string? folder = ReportPath is null ? null : SessionState.Path.GetUnresolvedProviderPathFromPSPath(ReportPath);
        if (folder is not null)
        {
            ReportFiles.Probe(folder);
        }

        RunResult? run = null;
        TestRunObserver observer = new(this);
        RunBeside(async (post, cancellation) =>
        {
            observer.Post = post;
            run = await SuiteRunner.RunAsync(options, observer, cancellation).ConfigureAwait(false);
        });
        observer.Complete();
        if (run is null || Cancellation.IsCancellationRequested)
        {
            return;
        }

        string? page = null;
        if (folder is not null)
        {
            page = ReportFiles.WriteAll(run, folder);
            WriteInformation($"Report: {page}", ["VirtShell"]);
            WriteVerbose($"Report: {page}");
        }

        foreach (string file in run.UpdatedBaselines)
        {
            WriteVerbose($"Wrote the baseline {file}.");
        }

        VMTestRun summary = new(run, [.. run.Items.Select(i => new VMTestResult(i))], page);
        WriteVerbose($"{summary.Passed} passed, {summary.Failed} failed, {summary.Errors} could not be run, in {VmErrors.Seconds(summary.Duration)}.");
        if (Summary)
        {
            WriteObject(summary);
        }

        Complain(summary);
    }

    private void Complain(VMTestRun summary)
    {
        VMTestResult[] bad = [.. summary.Items.Where(i => i.Outcome != Outcome.Passed)];
        if (bad.Length > 0)
        {
            string names = string.Join("; ", bad.Take(NamesInSummary).Select(i => i.Name)) + (bad.Length > NamesInSummary ? "; …" : string.Empty);
            WriteError(VmErrors.TestsFailed(bad.Length, summary.Total, names, summary));
        }
    }

    private void Report(SuiteException error)
    {
        foreach (SuiteDiagnostic diagnostic in error.Diagnostics)
        {
            WriteError(VmErrors.SuiteInvalid(diagnostic));
        }

        if (error.Diagnostics.Count == 0)
        {
            WriteError(VmErrors.SuiteInvalid(error, Filter ?? (object)_suites));
        }
    }

    /// <summary>Turns what the harness tells of a run into results and progress on the pipeline's thread.</summary>
    private sealed class TestRunObserver(InvokeVMTestCommand cmdlet) : IRunObserver
    {
        private const string Activity = "Running suites";
        private readonly Dictionary<int, string> _running = [];
        private int _total;
        private int _done;
        private int _bad;

        internal Action<Action> Post { get; set; } = static _ => { };

        public void OnRunStarted(IReadOnlyList<ItemInfo> items) => _total = items.Count;

        public void OnItemStarted(ItemInfo item)
        {
            _running[item.Index] = item.Name;
            Show(Printable.Escape(item.Name));
        }

        public void OnItemProgress(ItemInfo item, ItemProgress progress) => Show(Printable.Escape($"{item.Name}: {progress.Activity}"));

        public void OnItemFinished(ItemResult result)
        {
            _running.Remove(result.Item.Index);
            _done++;
            _bad += result.Outcome == Outcome.Passed ? 0 : 1;
            Post(() =>
            {
                cmdlet.WriteVerbose($"{result.Outcome}: {Printable.Escape(result.Name)} ({VmErrors.Seconds(result.Duration)}){(result.Message.Length > 0 ? " - " + Printable.Log(result.Message) : string.Empty)}");
                if (!cmdlet.Summary)
                {
                    cmdlet.WriteObject(new VMTestResult(result));
                }
            });
            Show(Printable.Escape(result.Name));
        }

        internal void Complete() => cmdlet.WriteProgress(new ProgressRecord(1, Activity, "Done") { RecordType = ProgressRecordType.Completed });

        private void Show(string operation)
        {
            // The harness never calls twice at once, so the numbers belong together; they are copied for the other thread.
            int percent = _total == 0 ? 0 : 100 * _done / _total;
            string status = $"{_done} of {_total} done{(_bad > 0 ? $", {_bad} not passed" : string.Empty)}, {_running.Count} running";
            Post(() => cmdlet.WriteProgress(new ProgressRecord(1, Activity, status) { CurrentOperation = operation, PercentComplete = percent }));
        }
    }
}
