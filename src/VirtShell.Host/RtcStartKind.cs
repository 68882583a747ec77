using System.Text.Json.Nodes;
using VirtShell.Settings;

namespace VirtShell.Host;

/// <summary>What an RTC shows when the machine is switched on: a word or a date.</summary>
internal sealed class RtcStartKind : ScalarKind<RtcStart>
{
    public override string Word => "time";

    public override string Expected => "a date from 1970 on such as 2026-01-01 or 2026-01-01T12:30:00, utc or localtime";

    public override bool TryParse(string text, out RtcStart value) => RtcStart.TryParse(text, out value);

    public override string Format(RtcStart value) => value.ToString();

    public override string? Choices(FrontEnd frontEnd) =>
        "utc (the host's time, or where the VM's clock last stood if that is later), localtime (the host's local time), or a date such as 2026-01-01 or 2026-01-01T12:30:00, the same at every start";

    public override JsonObject Schema() => new() { ["type"] = "string" };
}
