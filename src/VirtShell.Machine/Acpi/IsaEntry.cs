using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Boards;

namespace VirtShell.Machine.Acpi;

/// <summary>What the DSDT tells of a part: a device below the ISA bridge, whose resources are claims of the part's row.</summary>
/// <param name="Name">Its name in the namespace, four characters at most.</param>
/// <param name="Id">_HID, as PNP assigned it.</param>
/// <param name="Uid">_UID, which tells devices with one _HID apart.</param>
/// <param name="Place">Where it stands among the others.</param>
/// <param name="Claims">Names of the claims.</param>
internal sealed record IsaEntry(string Name, string Id, ulong Uid, int Place, IReadOnlyList<string> Claims)
{
    private const byte Present = 0x0F;

    public void Write(AmlWriter parent, PartRow row)
    {
        ResourceTemplate resources = new();
        foreach (Claim claim in Claims.Select(name => row.Claims.First(c => c.Name == name)))
        {
            if (claim.Kind == ClaimKind.Irq)
            {
                resources.Irq((int)claim.First);
            }
            else if (claim.Kind == ClaimKind.Dma)
            {
                resources.Dma((int)claim.First);
            }
            else
            {
                resources.Io((ushort)claim.First, claim.Count);
            }
        }

        Write(parent, resources);
    }

    public void Write(AmlWriter parent, ResourceTemplate resources) => parent.Device(Name, d =>
    {
        d.NameId("_HID", Id);
        d.Name("_UID", Uid);
        d.Name("_STA", Present);
        d.NameBuffer("_CRS", resources.ToArray());
    });
}
