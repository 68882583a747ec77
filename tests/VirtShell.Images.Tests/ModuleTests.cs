using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Images.Initramfs;
using Xunit;

namespace VirtShell.Images.Tests;

public sealed class ModuleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ImageResolver _resolver;

    public ModuleTests() => _resolver = new ImageResolver(Path.Combine(_folder.Path, "cache"));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Dependencies_come_first_by_modinfo(bool is64)
    {
        Module("drivers/virtio/virtio.ko", string.Empty, is64);
        Module("drivers/virtio/virtio_ring.ko", "virtio", is64);
        Module("drivers/virtio/virtio-pci.ko", "virtio_ring,virtio", is64);
        Module("drivers/block/virtio_blk.ko", "virtio,virtio_ring", is64);
        Module("drivers/other.ko", "virtio_blk", is64);

        Assert.Equal(["virtio.ko", "virtio_ring.ko", "virtio_blk.ko", "virtio-pci.ko"], Load("virtio_blk", "virtio_pci"));
    }

    [Fact]
    public void Compressed_modules_are_unpacked_and_soft_dependencies_are_optional()
    {
        Module("a.ko", "b", true, "softdep=pre: c missing post: d\0");
        Module("d.ko", string.Empty, true);
        Packed("b.ko.gz", ModuleFiles.Elf("depends=\0", true));
        Module("c.ko", string.Empty, true);

        Assert.Equal(["b.ko", "c.ko", "a.ko"], Load("a"));
    }

    [Fact]
    public void A_dependency_file_is_believed()
    {
        Module("a.ko", "nothing_of_the_kind", true);
        Module("b.ko", string.Empty, true);
        Module("c.ko", string.Empty, true);
        _folder.Write("lib/modules/6.1.0/modules.dep", "kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n");
        Assert.Equal(["c.ko", "b.ko", "a.ko"], Load("a"));
    }

    /// <summary>How long a chain is, a file says: it must not be the length of our stack.</summary>
    [Fact]
    public void A_chain_of_dependencies_of_any_length_ends_in_an_answer()
    {
        const int length = 5_000;
        var dependencies = new StringBuilder();
        for (var i = 0; i < length; i++)
        {
            Module($"m{i}.ko", string.Empty, true);
            dependencies.Append($"kernel/m{i}.ko: {(i + 1 < length ? $"kernel/m{i + 1}.ko" : string.Empty)}\n");
        }

        _folder.Write("lib/modules/6.1.0/modules.dep", dependencies.ToString());
        Assert.Equal(length, Load("m0").Length);
    }

    /// <summary>Names without files are as good as any for overflowing a stack.</summary>
    [Fact]
    public void A_chain_that_is_far_too_long_is_refused()
    {
        const int length = 200_000;
        var store = new LongChain(_folder.Write("modules.dep", string.Empty), length);
        var error = Assert.Throws<ImageException>(() => new KernelModules(store).Select(["m0"]));
        Assert.Contains("more than 20000 modules", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kernel/a.ko: kernel/a.ko\n", "a -> a")]
    [InlineData("kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko: kernel/a.ko\n", "a -> b -> c -> a")]
    public void Modules_that_need_each_other_are_told(string dependencies, string circle)
    {
        Module("a.ko", string.Empty, true);
        Module("b.ko", string.Empty, true);
        Module("c.ko", string.Empty, true);
        _folder.Write("lib/modules/6.1.0/modules.dep", dependencies);
        Assert.Contains(circle, Assert.Throws<ImageException>(() => Load("a")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_section_whose_place_overflows_is_damage()
    {
        var elf = ModuleFiles.Elf("depends=\0", true);
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(40), int.MaxValue);
        _folder.Write("lib/modules/6.1.0/kernel/a.ko", elf);
        Assert.Contains("a.ko is not a kernel module", Assert.Throws<ImageException>(() => Load("a")).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Links_to_folders_are_not_followed()
    {
        Skip.If(OperatingSystem.IsWindows(), "Links need a privilege on Windows.");
        Module("a.ko", string.Empty, true);
        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "lib/modules/6.1.0/build"), _folder.Path);
        Assert.Equal(["a.ko"], Load("a"));
    }

    [Fact]
    public void Built_in_modules_need_no_file()
    {
        Module("a.ko", "serial_core", true);
        _folder.Write("lib/modules/6.1.0/modules.builtin", "kernel/drivers/tty/serial-core.ko\n");
        Assert.Equal(["a.ko"], Load("serial_core", "a"));
    }

    [Fact]
    public void Unknown_modules_name_their_neighbours()
    {
        Module("virtio_blk.ko", string.Empty, true);
        var error = Assert.Throws<ImageException>(() => Load("virtio_blok"));
        Assert.Contains("no module virtio_blok", error.Message, StringComparison.Ordinal);
        Assert.Contains("virtio_blk", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Modules_need_a_place_to_come_from()
    {
        var error = Assert.Throws<ImageException>(() => _resolver.BuildInitramfs(new InitramfsDefinition { Modules = ["a"] }, _folder.Path));
        Assert.Contains("need a place", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not an ELF file at all, but long enough to hold a header of one, and then some more")]
    [InlineData("\u007fELF\u0002\u0001\u0001zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData("")]
    public void Damaged_modules_are_named(string content)
    {
        _folder.Write("lib/modules/6.1.0/kernel/a.ko", content);
        var error = Assert.Throws<ImageException>(() => Load("a"));
        Assert.Contains("a.ko is not a kernel module", error.Message, StringComparison.Ordinal);
    }

    private string[] Load(params string[] names)
    {
        var file = _resolver.BuildInitramfs(new InitramfsDefinition { Modules = names, ModulesFrom = "lib/modules/6.1.0" }, _folder.Path);
        var entries = CpioReader.Read(file.Path);
        var paths = entries["etc/modules-load"].Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(paths, path => Assert.StartsWith("/lib/modules/6.1.0/kernel/", path, StringComparison.Ordinal));
        Assert.All(paths, path => Assert.True(entries[path[1..]].Data.AsSpan().StartsWith("\u007FELF"u8)));
        return [.. paths.Select(path => Path.GetFileName(path))];
    }

    private void Module(string path, string depends, bool is64, string more = "") =>
        _folder.Write("lib/modules/6.1.0/kernel/" + path, ModuleFiles.Elf($"license=GPL\0depends={depends}\0{more}", is64));

    private void Packed(string path, byte[] content)
    {
        using var memory = new MemoryStream();
        using (var stream = new System.IO.Compression.GZipStream(memory, System.IO.Compression.CompressionLevel.Fastest))
        {
            stream.Write(content);
        }

        _folder.Write("lib/modules/6.1.0/kernel/" + path, memory.ToArray());
    }

    /// <summary>A modules.dep in which each module needs the next.</summary>
    private sealed class LongChain : ModuleStore
    {
        private readonly string _file;

        public LongChain(string file, int length)
        {
            _file = file;
            Paths = ["lib/modules/1/modules.dep", .. Enumerable.Range(0, length).Select(i => $"lib/modules/1/m{i}.ko")];
            File.WriteAllLines(_file, Enumerable.Range(0, length - 1).Select(i => $"m{i}.ko: m{i + 1}.ko"));
        }

        public override IReadOnlyList<string> Paths { get; }

        public override string Title => "the chain";

        public override IReadOnlyList<string> Fetch(IReadOnlyList<string> paths) => [.. paths.Select(_ => _file)];
    }
}
