using System;
using System.IO;
using System.Threading;
using VirtShell.Images;
using VirtShell.Machine;

namespace VirtShell.Host.Running;

/// <summary>A firmware image, and the program for the display that distributions put beside it.</summary>
internal static class FirmwareFiles
{
    private const string DisplayRom = "vgabios-stdvga.bin";
    private const string Package = "apt:";

    /// <exception cref="VmException">The image cannot be read.</exception>
    /// <exception cref="ImageException">It is not there.</exception>
    public static (RomBoot Boot, ReadOnlyMemory<byte> VideoRom) Prepare(string source, string baseFolder, ImageResolver resolver, IProgress<string>? progress, CancellationToken cancellation)
    {
        progress?.Report($"Resolving firmware {source}");
        ResolvedFile image = resolver.Resolve(source, baseFolder, null, progress, cancellation);
        return (new RomBoot(ImageBytes.Read(image)), FindBeside(source, image, baseFolder, resolver, cancellation));
    }

    private static ReadOnlyMemory<byte> FindBeside(string source, ResolvedFile image, string baseFolder, ImageResolver resolver, CancellationToken cancellation)
    {
        string beside;
        if (source.StartsWith(Package, StringComparison.Ordinal))
        {
            int folder = source.LastIndexOf('/');
            beside = folder < source.IndexOf('#', StringComparison.Ordinal) ? $"{source[..(source.IndexOf('#', StringComparison.Ordinal) + 1)]}{DisplayRom}" : $"{source[..(folder + 1)]}{DisplayRom}";
        }
        else
        {
            beside = Path.Combine(Path.GetDirectoryName(image.Path) ?? string.Empty, DisplayRom);
            if (!File.Exists(beside))
            {
                return default;
            }
        }

        try
        {
            return ImageBytes.Read(resolver.Resolve(beside, baseFolder, null, null, cancellation));
        }
        catch (ImageException)
        {
            // A package of firmware that brings none.
            return default;
        }
    }
}
