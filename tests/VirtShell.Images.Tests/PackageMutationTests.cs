using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using VirtShell.Images.Apt;
using VirtShell.Images.Initramfs;
using VirtShell.Images.Packages;
using VirtShell.State.Tests.Mutation;
using Xunit;

namespace VirtShell.Images.Tests;

/// <summary>Damaged copies of packages, modules and their lists: each is read or refused with an <see cref="ImageException"/>.</summary>
public sealed class PackageMutationTests : IDisposable
{
    private const long MiB = 1 << 20;

    /// <summary>A small tar archive that xz packed, which nothing here can do.</summary>
    internal const string PackedByXz = "/Td6WFoAAATm1rRGAgAhAQwAAACPmEGc4Cf/AIldABcLyMfh7+CRS4QcCxluM4JA39EZjNl1qpu46rPoIyk87y4Z6fnz2ffbG05eVPa6TW0hElqlN7RPPbfP0mJbcEtUUkhIawVThoekZZuBlyk+6lj/XgWrGohu98BTrqBIa+NGBpLiwk4v+SafQqP6JNVVKfrjE8I+QsitjGsSY7oUNMj6aaKvF4OmAAAAAL19DUag3JCuAAGlAYBQAAC75QE2scRn+wIAAAAABFla";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Packages()
    {
        byte[][] goods = [DebFiles.Sample(""), DebFiles.Sample(".gz"), DebFiles.Sample(".zst"), DebFiles.Pack(".xz", Convert.FromBase64String(PackedByXz))];
        var path = _folder.Write("p.deb", goods[0]);
        MutationRun.Check("packages", goods, ["!<arch>\n", "data.tar", ".zst", ".xz", "ustar", "00000000017", "77777777777", "`\n"], Load, 160 * MiB, MutationRun.SmallSample, typeof(ImageException));

        void Load(byte[] copy)
        {
            File.WriteAllBytes(path, copy);
            DebArchive.ReadFiles(path, entry => entry.DataStream?.CopyTo(Stream.Null), CancellationToken.None, useHostTool: false);
        }
    }

    /// <summary>The tar archive itself, which checksums of the compressions shield otherwise.</summary>
    [Fact]
    public void Archives()
    {
        var tar = DebFiles.Tar([DebFiles.Regular("./a", "content"), DebFiles.Regular("./" + new string('n', 200), "x")]);
        var path = _folder.Write("p.deb", tar);
        MutationRun.Check("tar archives", [tar], ["ustar", "00000000017", "77777777777", "L", "x", "g", "15 path=./b\n"], Load, 16 * MiB, typeof(ImageException));

        void Load(byte[] copy)
        {
            File.WriteAllBytes(path, DebFiles.Pack(string.Empty, copy));
            DebArchive.ReadFiles(path, entry => entry.DataStream?.CopyTo(Stream.Null), CancellationToken.None, useHostTool: false);
        }
    }

    [Fact]
    public void Lists_of_packages()
    {
        var good = "Package: linux\nVersion: 6.1\nArchitecture: amd64\nDepends: a (= 1), b | c\nSize: 12\nSHA256: abcd\n more\n"u8.ToArray();
        MutationRun.Check("lists of packages", [good], ["Package:", "SHA256:", "Depends:", "|", "(= ", ",", "\n\n"], copy => _ = AptPackage.Parse(Encoding.UTF8.GetString(copy))?.LikelyContent().ToList(), 16 * MiB);
    }

    [Fact]
    public void Modules()
    {
        byte[][] goods = [ModuleFiles.Elf("license=GPL\0depends=a,b\0softdep=pre: c\0", is64: true), ModuleFiles.Elf("depends=\0", is64: false)];
        MutationRun.Check("modules", goods, ["\u007fELF", ".modinfo", "depends=", "softdep=pre: "], copy => _ = ModuleInfo.Read(copy, "a.ko"), 16 * MiB, typeof(ImageException));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    [InlineData(".xz")]
    public void Compressed_modules(string compression)
    {
        const string name = "lib/modules/6.1.0/kernel/a.ko";
        var good = compression == ".xz" ? Convert.FromBase64String(PackedByXz) : DebFiles.Compress(ModuleFiles.Elf("depends=\0", is64: true), compression);
        var path = _folder.Write(name + compression, good);
        var store = new FolderModuleStore(_folder.Path);
        MutationRun.Check("compressed modules" + compression, [good], [], Load, 160 * MiB, MutationRun.SmallSample, typeof(ImageException));

        void Load(byte[] copy)
        {
            File.WriteAllBytes(path, copy);
            _ = store.Read(name + compression);
        }
    }

    [Fact]
    public void Dependencies_of_modules()
    {
        const string start = "lib/modules/6.1.0/";
        foreach (var name in (string[])["a", "b", "c"])
        {
            _folder.Write($"{start}kernel/{name}.ko", ModuleFiles.Elf("depends=\0", is64: true));
        }

        var good = "kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n"u8.ToArray();
        var path = _folder.Write(start + "modules.dep", good);
        var store = new FolderModuleStore(_folder.Path);
        MutationRun.Check("dependencies of modules", [good], ["kernel/a.ko: kernel/b.ko\n", "kernel/b.ko: kernel/a.ko\n", ":", ".ko", "/"], Load, 16 * MiB, typeof(ImageException));

        void Load(byte[] copy)
        {
            File.WriteAllBytes(path, copy);
            _ = new KernelModules(store).Select(["a"]);
        }
    }

    [Fact]
    public void Binaries_of_busybox()
    {
        var good = Encoding.ASCII.GetBytes("code\0[\0[[\0" + string.Join('\0', Enumerable.Range(0, 30).Select(i => $"a{i:00}")) + "\0\0");
        MutationRun.Check("binaries of busybox", [good], ["\0[\0[[\0", "\0"], copy => Assert.NotEmpty(BusyboxApplets.Read(copy)), 16 * MiB);
    }
}
