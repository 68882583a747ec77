using System;
using System.Globalization;
using System.IO;
using System.Text;
using VirtShell.Guests.Assembler.Programs;

namespace VirtShell.Guests.Assembler;

/// <summary>Writes the bundle of all guests: <c>guest-assembler OUTPUT</c>.</summary>
internal static class Program
{
    /// <summary>Every guest, in the order of lists.</summary>
    internal static readonly IGuestProgram[] Guests =
    [
        new Hello(),
        new HelloLong(),
        new Echo(),
        new Timer(),
        new Ticker(),
        new Compute(),
        new MemoryHog(),
        new PortStorm(),
        new Fuzz(),
        new TripleFault(),
        new WildJump(),
        new PageFault(),
        new BusyLoop(),
        new HaltForever(),
        new AttackGuest(),
    ];

    private static int Main(string[] arguments)
    {
        if (arguments.Length is not 1)
        {
            Console.Error.WriteLine("usage: guest-assembler OUTPUT");
            return 2;
        }

        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Guests.Length);
            foreach (var guest in Guests)
            {
                var image = GuestCode.Assemble(guest);
                writer.Write(guest.Name);
                writer.Write(guest.Description);
                writer.Write(image.Length);
                writer.Write(image);
            }
        }

        // The compiler watches the file's time: leave it alone where nothing changed.
        var bytes = buffer.ToArray();
        var output = arguments[0];
        if (!File.Exists(output) || !File.ReadAllBytes(output).AsSpan().SequenceEqual(bytes))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!);
            var temporary = output + "." + Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, output, overwrite: true);
        }

        return 0;
    }
}
