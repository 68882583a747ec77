using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using System.Threading;
using VirtShell.Images.Apt;
using VirtShell.Images.Packages;
using VirtShell.Storage;

namespace VirtShell.Images.Initramfs;

/// <summary>Lays the parts of a definition into a tree, and writes it unless the cache has it.</summary>
internal sealed class InitramfsBuilder(ImageCache cache, AptSource apt, ImageResolver resolver)
{
    private const string ModuleList = "etc/modules-load";

    private const string DefaultInit =
        """
        #!/bin/sh
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        if [ -f /etc/modules-load ]; then
            while read -r module; do insmod "$module"; done < /etc/modules-load
        fi
        setsid cttyhack sh
        poweroff -f

        """;

    private static readonly string[] s_standardFolders = ["dev", "proc", "run", "sys", "tmp"];

    /// <summary>Applets that kernels and scripts call by another path.</summary>
    private static readonly (string Applet, string Path)[] s_wellKnownPaths =
    [
        ("modprobe", "sbin/modprobe"),
        ("env", "usr/bin/env"),
    ];

    public ResolvedFile Build(InitramfsDefinition definition, string baseFolder, IProgress<string>? progress, CancellationToken cancellation)
    {
        var tree = new InitramfsTree();
        foreach (var folder in s_standardFolders)
        {
            tree.AddFolder(folder);
        }

        if (definition.Folder is { } content)
        {
            CopyFolder(tree, Path.GetFullPath(content, Path.GetFullPath(baseFolder)), cancellation);
        }

        if (definition.Busybox is { } busybox)
        {
            AddBusybox(tree, resolver.Resolve(busybox, baseFolder, null, progress, cancellation));
        }

        if (definition.Modules.Count > 0)
        {
            AddModules(tree, definition, baseFolder, progress, cancellation);
        }

        foreach (var (path, source) in definition.Files)
        {
            var file = resolver.Resolve(source, baseFolder, null, progress, cancellation);
            if (file.Content is { } bytes)
            {
                tree.AddFile(path, bytes);
            }
            else
            {
                tree.AddHostFile(path, file.Path);
            }
        }

        foreach (var (path, text) in definition.Text)
        {
            tree.AddFile(path, Encoding.UTF8.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal)));
        }

        foreach (var (path, target) in definition.Links)
        {
            tree.AddLink(path, target);
        }

        AddNodes(tree, definition);
        if (definition.Busybox is not null && !tree.Contains("init"))
        {
            tree.AddFile("init", Encoding.UTF8.GetBytes(DefaultInit.Replace("\r\n", "\n", StringComparison.Ordinal)));
        }

        return Write(tree, definition.Gzip, progress, cancellation);
    }

    private ResolvedFile Write(InitramfsTree tree, bool gzip, IProgress<string>? progress, CancellationToken cancellation)
    {
        var name = tree.Fingerprint() + (gzip ? ".cpio.gz" : ".cpio");
        var path = Path.Combine(cache.Sub("initramfs"), name);
        string? hash;
        using (cache.Lock(name, progress, cancellation))
        {
            hash = cache.Find(path);
            if (hash is null)
            {
                progress?.Report("Building the initramfs");
                cache.WriteWhole(path, stream =>
                {
                    if (gzip)
                    {
                        using var compressed = new GZipStream(stream, CompressionLevel.Optimal, leaveOpen: true);
                        tree.Write(compressed);
                    }
                    else
                    {
                        tree.Write(stream);
                    }
                });
            }
        }

        return new ResolvedFile(path, hash, "initramfs " + name[..12]);
    }

    private static void CopyFolder(InitramfsTree tree, string folder, CancellationToken cancellation)
    {
        if (!Directory.Exists(folder))
        {
            throw new ImageException($"There is no folder {folder} to take the initramfs' content from.");
        }

        var options = new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false };
        Stack<DirectoryInfo> left = new([new DirectoryInfo(folder)]);
        while (left.TryPop(out var directory))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var item in directory.EnumerateFileSystemInfos("*", options))
            {
                var path = Path.GetRelativePath(folder, item.FullName).Replace('\\', '/');
                if (item.LinkTarget is { } target)
                {
                    tree.AddLink(path, target.Replace('\\', '/'));
                }
                else if (item is DirectoryInfo inner)
                {
                    tree.AddFolder(path);
                    left.Push(inner);
                }
                else if (FileContent.KindOf(item.FullName) != FileKind.Regular)
                {
                    throw new ImageException($"{item.FullName} is a device, pipe or socket, which is not copied; give device nodes by themselves.");
                }
                else
                {
                    bool? isExecutable = OperatingSystem.IsWindows() ? null : (item.UnixFileMode & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;
                    tree.AddHostFile(path, item.FullName, isExecutable);
                }
            }
        }
    }

    private static void AddBusybox(InitramfsTree tree, ResolvedFile file)
    {
        var binary = file.Content ?? FileContent.Read(file.Path, UnpackingStream.LargestFile);
        tree.AddFile("bin/busybox", binary, isExecutable: true);
        var applets = BusyboxApplets.Read(binary);
        foreach (var applet in applets)
        {
            var path = "bin/" + applet;
            if (!tree.Contains(path))
            {
                tree.AddLink(path, "busybox");
            }
        }

        foreach (var (applet, path) in s_wellKnownPaths)
        {
            if (applets.Contains(applet) && !tree.Contains(path))
            {
                tree.AddLink(path, "/bin/busybox");
            }
        }
    }

    private void AddModules(InitramfsTree tree, InitramfsDefinition definition, string baseFolder, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (definition.ModulesFrom is not { } from)
        {
            throw new ImageException($"The modules {string.Join(", ", definition.Modules)} need a place to come from: the kernel's own package (apt:PACKAGE) or its /lib/modules folder.");
        }

        var modules = new KernelModules(OpenStore(from, baseFolder, progress, cancellation)).Select(definition.Modules);
        foreach (var (path, bytes) in modules)
        {
            tree.AddFile(path, bytes, isExecutable: false);
        }

        tree.AddFile(ModuleList, Encoding.ASCII.GetBytes(string.Concat(modules.Select(module => $"/{module.Path}\n"))));
    }

    private ModuleStore OpenStore(string from, string baseFolder, IProgress<string>? progress, CancellationToken cancellation)
    {
        switch (ImageSource.Parse(from, baseFolder))
        {
            case AptFile source:
                var (package, contents) = apt.FindPackage(source, "**/lib/modules/**/*.ko*", progress, cancellation);
                return new PackageModuleStore(contents, $"{package.Name} {package.Version}", progress, cancellation);
            case LocalFile local when Directory.Exists(local.Path):
                return new FolderModuleStore(local.Path);
            default:
                throw new ImageException($"'{from}' holds no modules: name the kernel's package (apt:PACKAGE) or a folder that exists.");
        }
    }

    private static void AddNodes(InitramfsTree tree, InitramfsDefinition definition)
    {
        // The numbers of Linux' admin-guide/devices.
        AddUnlessThere("dev/console", 5, 1, FileMode.Private);
        AddUnlessThere("dev/null", 1, 3, FileMode.Device);
        AddUnlessThere("dev/ttyS0", 4, 64, FileMode.Private);
        foreach (var (path, text) in definition.Nodes)
        {
            var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length != 3 || parts[0] is not ("c" or "b") || !TryNumber(parts[1], 0xFFF, out var major) || !TryNumber(parts[2], 0xFFFFF, out var minor))
            {
                throw new ImageException($"The device node {path} is '{text}', but must be 'c MAJOR MINOR' or 'b MAJOR MINOR' (for example 'c 1 3').");
            }

            tree.AddDevice(path, parts[0] == "b", major, minor);
        }

        void AddUnlessThere(string path, uint major, uint minor, uint permissions)
        {
            if (!tree.Contains(path))
            {
                tree.AddDevice(path, isBlock: false, major, minor, permissions);
            }
        }

        static bool TryNumber(string text, uint limit, out uint number) =>
            uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= limit;
    }
}
