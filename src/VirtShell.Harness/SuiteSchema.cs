using System.Text.Encodings.Web;
using System.Text.Json;
using VirtShell.Harness.Model;

namespace VirtShell.Harness;

/// <summary>The JSON Schema of suite files, generated from the same description that binds them.</summary>
public static class SuiteSchema
{
    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema as text, ending in a newline.</summary>
    public static string Generate() => AssertKind.RootSchema().ToJsonString(s_options) + "\n";
}
