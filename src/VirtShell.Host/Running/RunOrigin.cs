using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using VirtShell.Host.Inventory;
using VirtShell.Settings;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// What a run's machine was made of, first in its state: a run goes on only in a VM that has the same. Settings that say how a run is
/// conducted may differ (<see cref="Setting{TDefinition}.MayDifferFromState"/>); disks are compared by what they are.
/// </summary>
internal sealed class RunOrigin : IStateful
{
    private const int LongestSetting = 1 << 20;
    private const int LongestShown = 100;

    private readonly VmDefinition _definition;

    public RunOrigin(VmDefinition definition)
    {
        _definition = definition;
    }

    public void Describe(StateVisitor visitor)
    {
        JsonNode? settings = JsonSerializer.SerializeToNode(_definition, HostJson.Default.VmDefinition);
        foreach (Setting<VmDefinition> setting in VmSettings.All.Where(static row => !row.MayDifferFromState))
        {
            string? here = settings?[setting.JsonName]?.ToJsonString();
            string? saved = here;

            // A setting that was not there when the state was saved cannot have been another.
            if (visitor.Text(setting.Name, ref saved, LongestSetting) && saved != here)
            {
                throw visitor.Refused($"It is of a VM whose {setting.Title} is {Shown(saved)}; this one's is {Shown(here)}. Set it to what it was, or start the VM anew.");
            }
        }
    }

    private static string Shown(string? value) => value is null ? "not set" : Printable.Escape(value.Length <= LongestShown ? value : value[..LongestShown] + "...");
}
