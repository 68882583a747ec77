using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace VirtShell.Architecture.Tests;

/// <summary>Rules that no analyzer checks.</summary>
public sealed partial class StyleTests
{
    private const int MaximumLines = 800;

    [Fact]
    public void No_source_file_is_too_long_to_be_known_by_heart()
    {
        var long_ = Repository.SourceFiles("src")
            .Select(path => (Path: Repository.Relative(path), Lines: File.ReadLines(path).Count()))
            .Where(file => file.Lines > MaximumLines)
            .Select(file => $"{file.Path} has {file.Lines} lines")
            .ToList();
        Assert.Empty(long_);
    }

    [Fact]
    public void Namespaces_are_file_scoped_and_named_after_their_project()
    {
        List<string> wrong = [];
        foreach (var path in Repository.SourceFiles("src").Concat(Repository.SourceFiles("tests")))
        {
            var match = Namespace().Match(File.ReadAllText(path));
            var project = Repository.ProjectOf(path);
            if (!match.Success)
            {
                // Top-level programs and files of assembly attributes have no namespace at all.
                if (AnyNamespace().IsMatch(File.ReadAllText(path)))
                {
                    wrong.Add($"{Repository.Relative(path)}: the namespace is not file-scoped");
                }
            }
            else if (match.Groups[1].Value != project && !match.Groups[1].Value.StartsWith(project + ".", StringComparison.Ordinal))
            {
                wrong.Add($"{Repository.Relative(path)}: {match.Groups[1].Value} does not belong to {project}");
            }
        }

        Assert.Empty(wrong);
    }

    // A slice of a partial type (Type.Slice.cs) lies where its subject is, whatever the type's namespace.
    [Fact]
    public void A_file_lies_in_the_folder_that_its_namespace_names()
    {
        List<string> wrong = [];
        foreach (var path in Repository.SourceFiles("src").Concat(Repository.SourceFiles("tests")))
        {
            var match = Namespace().Match(File.ReadAllText(path));
            var parts = Repository.Relative(path).Split('/');
            var expected = string.Join('.', parts[1..^1]);
            if (match.Success && match.Groups[1].Value != expected && parts[^1].Count(c => c == '.') == 1)
            {
                wrong.Add($"{Repository.Relative(path)}: {match.Groups[1].Value}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Package_versions_stand_in_one_place()
    {
        var wrong = Repository.Find("src", "*.csproj").Concat(Repository.Find("tests", "*.csproj"))
            .Where(path => PackageVersion().IsMatch(File.ReadAllText(path)))
            .Select(Repository.Relative);
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_project_is_in_the_solution_and_has_a_lock_file()
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, "VirtShell.sln"));
        foreach (var path in Repository.Find("src", "*.csproj").Concat(Repository.Find("tests", "*.csproj")))
        {
            Assert.Contains(Path.GetFileName(path), solution, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(Path.GetDirectoryName(path)!, "packages.lock.json")), $"{Repository.Relative(path)} has no packages.lock.json.");
        }
    }

    [Fact]
    public void No_binary_is_in_the_source_folders()
    {
        var wrong = Repository.Find("src", "*").Concat(Repository.Find("module", "*"))
            .Where(path => File.OpenRead(path) is var stream && HasZeroByte(stream))
            .Select(Repository.Relative);
        Assert.Empty(wrong);
    }

    private static bool HasZeroByte(FileStream stream)
    {
        using (stream)
        {
            var start = new byte[8000];
            return start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)).Contains((byte)0);
        }
    }

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^namespace ", RegexOptions.Multiline)]
    private static partial Regex AnyNamespace();

    [GeneratedRegex(@"<PackageReference[^>]*\sVersion=")]
    private static partial Regex PackageVersion();
}
