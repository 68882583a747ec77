using System;
using System.IO;
using System.Linq;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Reports;
using VirtShell.Harness.Steps;
using VirtShell.Machine.Display;
using Xunit;

namespace VirtShell.Harness.Tests;

/// <summary>Steps that look at the screen, against screens that are made up.</summary>
public sealed class ScreenStepTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_step_waits_for_text_mode_and_size_at_once()
    {
        ScriptDriver driver = Driver("""
            - screen-expect: {regex: '^C:.$'}
              mode: text
              size: 4x2
            - screenshot
            """);
        var guest = new ScriptedGuest(driver) { Screen = time => time < 500_000_000 ? Text("boot", "    ") : Text("C:\\ ", "    ") };
        guest.Run();

        Assert.All(driver.Results, r => Assert.Equal(Outcome.Passed, r.Outcome));
        Assert.Equal(TimeSpan.FromMilliseconds(500), driver.Results[0].GuestTime);
        Assert.Equal("C:\\", driver.Results[1].Screen!.Text);
    }

    [Theory]
    [InlineData("- screen-expect: never\n  timeout: 1s", "It shows text 4×2")]
    [InlineData("- screen-expect:\n  mode: graphics\n  timeout: 1s", "    boot")]
    [InlineData("- screen-expect:\n  picture: menu\n  timeout: 1s", "--update-references")]
    [InlineData("- type: x", "no keyboard controller")]
    public void What_does_not_come_is_told_with_what_is_there(string steps, string expected)
    {
        ScriptDriver driver = Driver(steps);
        new ScriptedGuest(driver) { Screen = _ => Text("boot", "    ") }.Run();

        Assert.Equal(Outcome.Failed, driver.Results[0].Outcome);
        Assert.Contains(expected, driver.Results[0].Message, StringComparison.Ordinal);
        Assert.Equal("boot", driver.Results[0].Screen!.Text);
    }

    [Fact]
    public void A_machine_without_a_display_is_told_what_to_do()
    {
        ScriptDriver driver = Driver("- screenshot");
        new ScriptedGuest(driver).Run();

        Assert.Contains("vga=on", driver.Results[0].Message, StringComparison.Ordinal);
        Assert.Null(driver.Results[0].Screen);
    }

    [Fact]
    public void A_picture_is_stored_once_it_stands_still_and_compared_from_then_on()
    {
        string suite = Path.Combine(_folder, "s.yaml");
        const string Steps = "- screen-expect:\n  picture: desk\n  timeout: 10s";
        ScreenReferences storing = ScreenReferences.Load(suite, isUpdating: true);
        ScriptDriver first = Driver(Steps, storing);
        new ScriptedGuest(first) { Screen = time => Graphics(time < 3_000_000_000 ? (int)(time / 50_000_000) : 5) }.Run();
        Assert.Equal(Outcome.Passed, first.Results[0].Outcome);
        Assert.InRange(first.Results[0].GuestTime.TotalSeconds, 5, 6);
        Assert.Equal(ScreenReferences.PathOf(suite), storing.Save());

        ScriptDriver same = Driver(Steps, ScreenReferences.Load(suite, isUpdating: false));
        new ScriptedGuest(same) { Screen = time => Graphics(time < 1_000_000_000 ? 90 : 5) }.Run();
        Assert.Equal(Outcome.Passed, same.Results[0].Outcome);

        ScriptDriver other = Driver(Steps, ScreenReferences.Load(suite, isUpdating: false));
        new ScriptedGuest(other) { Screen = _ => Graphics(90) }.Run();
        Assert.Contains("bits from the picture", other.Results[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_file_of_pictures_is_told_with_its_place()
    {
        string suite = Path.Combine(_folder, "s.yaml");
        File.WriteAllText(ScreenReferences.PathOf(suite), "{\n \"a\": ");
        SuiteException e = Assert.Throws<SuiteException>(() => ScreenReferences.Load(suite, isUpdating: false));
        Assert.Contains("--update-references", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_report_shows_the_picture_and_the_text()
    {
        ScreenSnapshot screen = Text("<b> ", "    ");
        var item = new ItemResult
        {
            Item = new ItemInfo(0, "s.yaml", "s", "t", "s / t", []),
            Outcome = Outcome.Passed,
            Steps = [new StepResult { Number = 1, Description = "take a screenshot", Outcome = Outcome.Passed, Screen = screen }],
        };
        string path = Path.Combine(_folder, "report.html");
        ReportFiles.WriteHtml(new RunResult { StartedAt = DateTimeOffset.UnixEpoch, Duration = TimeSpan.Zero, Items = [item] }, path);
        string page = File.ReadAllText(path);

        Assert.Contains($"src=\"data:image/png;base64,{Convert.ToBase64String(screen.Picture!.ToPng())}\"", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;", page, StringComparison.Ordinal);
        Assert.Contains("img-src data:", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("- key: ctrl+alt+delete\n  times: 2", "press ctrl+alt+delete 2 times")]
    [InlineData("- type: abc\n  enter: true\n  layout: de", "type \"abc\" and Enter")]
    [InlineData("- mouse:\n  x: 4\n  y: -2\n  click: left", "mouse by 4,-2, click left")]
    [InlineData("- screen-expect:\n  size: 640x480", "expect the screen to show 640x480")]
    public void Steps_say_what_they_do(string steps, string expected) => Assert.Equal(expected, Load(steps).Test.Steps[0].Description);

    [Theory]
    [InlineData("- key: hyper+x", "a key, or keys joined by plus signs")]
    [InlineData("- screen-expect:\n  size: large", "a size such as 640x480")]
    [InlineData("- type: x\n  layout: xx", "us")]
    public void Mistakes_are_told_with_their_place(string steps, string expected)
    {
        SuiteException e = Assert.Throws<SuiteException>(() => Load(steps));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.NotEqual(0, e.Diagnostics[0].Line);
    }

    private static ScriptDriver Driver(string steps, ScreenReferences? references = null) => new(Load(steps).Test, "s / t", [], references);

    private static LoadedItem Load(string steps)
    {
        string indented = string.Concat(steps.Split('\n').Select(l => $"      {l}\n"));
        return SuiteLoader.Parse($"suite: s\ntests:\n  - name: t\n    vm: hello\n    steps:\n{indented}", "s.yaml").Items[0];
    }

    private static ScreenSnapshot Text(params string[] rows) => new()
    {
        Kind = ScreenKind.Text,
        Columns = rows[0].Length,
        Rows = rows.Length,
        Cells = [.. string.Concat(rows).Select(c => new TextCell((byte)c, 7))],
        Picture = new ScreenPicture(4, 4, new byte[48]),
    };

    // Bars, of a number that decides how wide they are.
    private static ScreenSnapshot Graphics(int seed)
    {
        byte[] rgb = new byte[68 * 32 * 3];
        Random random = new(seed);
        for (int field = 0; field < 17 * 16; field++)
        {
            byte light = (byte)random.Next(256);
            for (int dot = 0; dot < 8; dot++)
            {
                int at = ((((field / 17 * 2) + (dot / 4)) * 68) + (field % 17 * 4) + (dot % 4)) * 3;
                rgb.AsSpan(at, 3).Fill(light);
            }
        }

        return new ScreenSnapshot { Kind = ScreenKind.Graphics, Width = 68, Height = 32, Picture = new ScreenPicture(68, 32, rgb) };
    }
}
