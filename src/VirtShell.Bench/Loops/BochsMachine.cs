using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Bench.Building;

namespace VirtShell.Bench.Loops;

/// <summary>Runs the loops in the host's Bochs, as Debian has it.</summary>
internal sealed class BochsMachine
{
    private const string Install = "on Debian: apt-get install bochs bochs-term bochsbios seabios";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);
    private static readonly string[] s_bioses = ["/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/BIOS-bochs-legacy", "/usr/share/seabios/bios.bin"];
    private static readonly string[] s_videoBioses = ["/usr/share/bochs/VGABIOS-lgpl-latest", "/usr/share/vgabios/vgabios.bin", "/usr/share/seabios/vgabios-isavga.bin"];
    private readonly string _program;
    private readonly string _bios;
    private readonly string _videoBios;

    private BochsMachine(string program, string bios, string videoBios)
    {
        _program = program;
        _bios = bios;
        _videoBios = videoBios;
    }

    /// <exception cref="BenchException">Bochs or one of its BIOSes is not installed.</exception>
    public static BochsMachine Find()
    {
        string program = HostTool.Find("bochs-bin") ?? HostTool.Find("bochs") ?? throw new BenchException($"bochs is not installed ({Install}).");
        string bios = s_bioses.FirstOrDefault(IsThere) ?? throw new BenchException($"Bochs has no BIOS ({Install}).");
        string video = s_videoBioses.FirstOrDefault(IsThere) ?? throw new BenchException($"Bochs has no video BIOS ({Install}).");
        return new BochsMachine(program, bios, video);
    }

    /// <summary>Bochs' version, in its own words.</summary>
    public string Version(CancellationToken cancellation)
    {
        const string name = "Bochs x86 Emulator";
        string line = HostTool.Run(_program, ["--help"], cancellation).Output.Split('\n').FirstOrDefault(l => l.Contains(name, StringComparison.Ordinal)) ?? name;
        return line.Trim();
    }

    /// <summary>Boots the floppy and gives a sample of each loop.</summary>
    /// <exception cref="BenchException">It ended before the loops did.</exception>
    public IReadOnlyList<LoopSample> Run(byte[] floppy, CancellationToken cancellation)
    {
        string folder = Directory.CreateTempSubdirectory("virtshell-bochs-").FullName;
        try
        {
            string image = Path.Combine(folder, "loops.img");
            string configuration = Path.Combine(folder, "bochsrc");
            File.WriteAllBytes(image, floppy);
            File.WriteAllText(configuration, Configuration(image, Path.Combine(folder, "log")));
            return Run(configuration, cancellation);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Debian has links there whose target is in a package of its own, which need not be installed.
    private static bool IsThere(string path) => File.Exists(path) && (File.ResolveLinkTarget(path, returnFinalTarget: true) is not { } target || target.Exists);

    private IReadOnlyList<LoopSample> Run(string configuration, CancellationToken cancellation)
    {
        using Process process = HostTool.Start(_program, ["-q", "-f", configuration], [new KeyValuePair<string, string>("TERM", "dumb")]);
        var reader = new LoopReader(() => ProcessTime.Of(process.Id));
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var deadline = new CancellationTokenSource(s_limit);
        using CancellationTokenRegistration late = deadline.Token.Register(() => HostTool.Kill(process));
        using CancellationTokenRegistration stop = cancellation.Register(() => HostTool.Kill(process));
        var said = new StringBuilder();
        Span<byte> buffer = stackalloc byte[1024];
        try
        {
            // Debian builds it with the debugger, which waits for a word before the first instruction.
            process.StandardInput.Write("c\n");
            process.StandardInput.Flush();
            while (!reader.IsDone)
            {
                int count = process.StandardOutput.BaseStream.Read(buffer);
                long now = Stopwatch.GetTimestamp();
                if (count <= 0)
                {
                    break;
                }

                foreach (byte value in buffer[..count])
                {
                    reader.Feed(value, now, null);
                }

                said.Append(Encoding.Latin1.GetString(buffer[..count]));
            }
        }
        finally
        {
            HostTool.Kill(process);
        }

        cancellation.ThrowIfCancellationRequested();
        return reader.IsDone ? reader.Samples : throw new BenchException($"bochs ended before the loops did.\n{said}\n{errors.GetAwaiter().GetResult()}".TrimEnd());
    }

    // No device that the loops do not need: some of Debian's abort where the host has no sound.
    private string Configuration(string floppy, string log) =>
        $"""
        plugin_ctrl: unmapped=1, biosdev=0, speaker=0, extfpuirq=0, parallel=0, serial=0, usb_uhci=0, e1000=0, es1370=0, gameport=0, iodebug=0, sb16=0, ne2k=0
        romimage: file={_bios}
        vgaromimage: file={_videoBios}
        display_library: {Display()}
        sound: driver=dummy
        megs: 64
        cpu: count=1, ips=100000000
        clock: sync=none
        floppya: 1_44={floppy}, status=inserted
        boot: floppy
        port_e9_hack: enabled=1
        log: {log}

        """;

    // The terminal where that plug-in is installed; else a VNC server that waits for nobody.
    private static string Display()
    {
        const string plugins = "/usr/lib";
        const string terminal = "libbx_term_gui.so";
        bool hasTerminal = Directory.EnumerateDirectories(plugins).Any(folder => File.Exists(Path.Combine(folder, "bochs", "plugins", terminal)));
        return hasTerminal ? "term" : "rfb, options=\"timeout=0\"";
    }
}
