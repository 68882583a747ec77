using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Machine.Drives;

namespace VirtShell.Harness.Model;

/// <summary>How suites and tests are written.</summary>
internal static class TestKind
{
    public static readonly ObjectKind<NeighbourSpec> Neighbour = new ObjectKind<NeighbourSpec>("neighbour", "a neighbour", "A guest that runs beside the test's own. Both must behave exactly as they do alone.")
        .Shorthand(Kinds.NonEmptyText, (t, v) => t.Vm = NamedGuest(v, t.Mark))
        .With("vm", "The machine: a bundled guest's name, or a mapping as in a test's vm.", VmKind.Vm, (t, v) => t.Vm = v, required: true)
        .With("title", "Shown in reports.", Kinds.NonEmptyText, (t, v) => t.Title = v)
        .With("count", "How many of it. Default 1.", Kinds.Integer(1, 64), (t, v) => t.Count = v)
        .With("end", "How its run must end. Default: not judged.", EndKind.List, (t, v) => t.End = v)
        .With("limit", "Guest time after which it is turned off. Default 10s.", Kinds.Duration, (t, v) => t.Limit = v);

    public static readonly ObjectKind<TestSpec> Test = new ObjectKind<TestSpec>("test", "a test", "A machine, what is done with it, and what must be true of it.")
        .With("name", "The test's name.", Kinds.NonEmptyText, (t, v) => t.Name = v, required: true)
        .With("description", "For people.", Kinds.Text, (t, v) => t.Description = v)
        .With("matrix", "Axes: every combination of their values is run. \"exclude\" and \"include\" take combinations away and add them.", new DeferredKind("a mapping of axes", MatrixSchema), (t, v) => t.Matrix = v)
        .With("vm", "The machine: a bundled guest's name, or a mapping.", VmKind.Vm, (t, v) => t.Vm = v, required: true)
        .With("steps", "What is done, in order.", new ListKind<StepSpec>(StepKind.Instance), (t, v) => t.Steps = v)
        .With("assert", "What must be true of the run.", AssertKind.Assert, (t, v) => t.Assert = v)
        .With("neighbours", "Guests to run beside it: the test then runs alone, each neighbour runs alone, and all run together; serial output and instruction counts must be the same.", new ListKind<NeighbourSpec>(Neighbour, allowSingle: true), (t, v) => t.Neighbours = v)
        .With("limits", "Limits of the run.", AssertKind.Limits, (t, v) => t.Limits = v)
        .With("prompt", "What ends a line that is a shell prompt, for run. Default {regex: '[#$] $'}.", Patterns.Pattern, (t, v) => t.Prompt = v)
        .Check(CheckTest);

    public static readonly ObjectKind<SuiteSpec> Suite = new ObjectKind<SuiteSpec>("suite", "a suite", "Tests of virtual machines.")
        .With("suite", "The suite's name.", Kinds.NonEmptyText, (t, v) => t.Name = v, required: true)
        .With("description", "For people.", Kinds.Text, (t, v) => t.Description = v)
        .With("baseline", "File with the values that metrics with a tolerance are compared to; written by --update-baseline.", Kinds.NonEmptyText, (t, v) => t.Baseline = v)
        .With("definitions", "Free space for YAML anchors (&name) that tests refer to (*name).", new DeferredKind("anything", _ => []), (_, _) => { })
        .With("defaults", "What every test begins from: mappings merge key by key, lists and values are replaced, null removes.", new DeferredKind("a mapping as in a test", s => Test.Body(s, partial: true)), (t, v) => t.Defaults = v)
        .With("tests", "The tests.", new DeferredKind("a list of tests", TestsSchema), (t, v) => t.Tests = v, required: true);

    // Documentation/admin-guide/kernel-parameters.txt; off as lib/kstrtox.c's kstrtobool reads it.
    private const string StampOption = "printk.time=";

    private static bool IsOff(string value) => value is ['0' or 'n' or 'N' or 'f' or 'F', ..] or ['o' or 'O', 'f' or 'F', ..];

    private static VmSpec NamedGuest(string name, Mark mark)
    {
        var vm = new VmSpec { Mark = mark };
        vm.Definition = vm.Definition with { Guest = name };
        return vm;
    }

    private static JsonObject MatrixSchema(SchemaBuilder schema) => schema.Reference("matrix", () => new JsonObject
    {
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["include"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "object" }, ["description"] = "Combinations to add." },
            ["exclude"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "object" }, ["description"] = "Combinations to leave out: those that agree in every axis named." },
        },
        ["additionalProperties"] = new JsonObject { ["type"] = "array", ["minItems"] = 1, ["description"] = "An axis and its values." },
    });

    private static JsonObject TestsSchema(SchemaBuilder schema)
    {
        // A test's vm may come from defaults, so only its name is required of the text itself.
        JsonObject test = schema.Reference("test", () =>
        {
            JsonObject body = Test.Body(schema, partial: true);
            body["required"] = new JsonArray("name");
            return body;
        });
        return new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = test };
    }

    private static void CheckTest(TestSpec test, MappingNode? mapping, SuiteNode node, Diagnostics diagnostics)
    {
        for (int i = 1; i < test.Steps.Count; i++)
        {
            if (test.Steps[i] is BootSpec)
            {
                diagnostics.Add(test.Steps[i].Mark, "boot can only be the first step");
            }
        }

        for (int i = 0; i < test.Steps.Count - 1; i++)
        {
            if (test.Steps[i] is StopSpec)
            {
                diagnostics.Add(test.Steps[i + 1].Mark, $"nothing can follow stop (line {test.Steps[i].Mark.Line}); the machine is off");
            }
        }

        foreach (MediumSpec medium in test.Steps.OfType<MediumSpec>())
        {
            int drives = medium.Drive.Kind == DriveKind.Cd ? test.Vm.Cds.Count : test.Vm.Floppies.Count;
            if (medium.Drive.Index >= drives)
            {
                diagnostics.Add(medium.Mark, $"the vm has no drive {medium.Drive}; add it under \"{(medium.Drive.Kind == DriveKind.Cd ? "cds" : "floppies")}\", an empty one as {{}}");
            }

            if (medium.Source is { } source)
            {
                test.Vm.Sources.Add(new PlacedSource(source, "image", medium.Mark));
            }
        }

        // Without time stamps nothing tells a kernel's messages from a command's output.
        bool needsStamps = test.Vm.Definition.Kernel is not null && test.Steps.Any(s => s is RunSpec { KeepKernelMessages: false });
        string? stamps = test.Vm.Definition.CommandLine.Split(' ').LastOrDefault(w => w.StartsWith(StampOption, StringComparison.Ordinal));
        if (needsStamps && stamps is null)
        {
            // A kernel may be built without them. In front, since what follows "--" is not the kernel's.
            test.Vm.Definition = test.Vm.Definition with { CommandLine = $"{StampOption}1 {test.Vm.Definition.CommandLine}".TrimEnd() };
        }
        else if (needsStamps && IsOff(stamps![StampOption.Length..]))
        {
            SuiteNode? line = (mapping?.Find("vm") as MappingNode)?.Find("cmdline");
            diagnostics.Add(line?.Mark ?? test.Vm.Mark, "run knows kernel messages by their time stamps and leaves them out of the output, and printk.time=0 takes the stamps away; leave it out, or say \"keep-kernel-messages: true\" with each run");
        }

        if (test.Neighbours.Count > 0)
        {
            IEnumerable<VmSpec> machines = test.Neighbours.Select(n => n.Vm).Prepend(test.Vm);
            foreach (VmSpec vm in machines.Where(v => v.Definition.Clock == ClockMode.Host))
            {
                diagnostics.Add(vm.Mark, "neighbours are compared byte by byte, which needs \"clock: virtual\"");
            }

            foreach (VmSpec vm in machines.Where(v => v.Disks.Any(d => d.Disk.Access == DiskAccess.ReadWrite) || v.Floppies.Any(f => f.Drive.Access == DiskAccess.ReadWrite)))
            {
                diagnostics.Add(vm.Mark, "neighbours are run more than once, so disks need \"access: overlay\" or \"read-only\"");
            }
        }
    }
}
