using System;
using System.CommandLine;
using System.Linq;
using VirtShell.Guests;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell guests</c>: lists the bundled guests.</summary>
internal static class GuestsCommand
{
    public static Command Create()
    {
        var command = new Command("guests", "Lists the bundled guests.");
        command.SetAction(_ =>
        {
            int width = GuestCatalog.All.Max(g => g.Name.Length);
            foreach (BundledGuest guest in GuestCatalog.All)
            {
                Console.Out.WriteLine($"{guest.Name.PadRight(width)}  {guest.Description}");
            }

            return ExitCodes.Success;
        });
        return command;
    }
}
