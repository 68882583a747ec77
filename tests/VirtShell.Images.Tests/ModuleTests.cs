using System;
using System.Buffers.Binary;
using System.IO;
using System.Linq;
using System.Text;
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
        Packed("b.ko.gz", Elf("depends=\0", true));
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
        _folder.Write("lib/modules/6.1.0/kernel/" + path, Elf($"license=GPL\0depends={depends}\0{more}", is64));

    private void Packed(string path, byte[] content)
    {
        using var memory = new MemoryStream();
        using (var stream = new System.IO.Compression.GZipStream(memory, System.IO.Compression.CompressionLevel.Fastest))
        {
            stream.Write(content);
        }

        _folder.Write("lib/modules/6.1.0/kernel/" + path, memory.ToArray());
    }

    /// <summary>An object file with the sections that matter: null, .modinfo, .shstrtab.</summary>
    private static byte[] Elf(string modinfo, bool is64)
    {
        const string names = "\0.modinfo\0.shstrtab\0";
        var (headerSize, sectionSize) = is64 ? (64, 64) : (52, 40);
        var info = Encoding.ASCII.GetBytes(modinfo);
        var infoAt = headerSize;
        var namesAt = infoAt + info.Length;
        var tableAt = namesAt + names.Length;
        var file = new byte[tableAt + (3 * sectionSize) + 64];
        "\u007FELF"u8.CopyTo(file);
        file[4] = (byte)(is64 ? 2 : 1);
        file[5] = 1;
        Address(file.AsSpan(is64 ? 40 : 32), tableAt);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 58 : 46), (ushort)sectionSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 60 : 48), 3);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(is64 ? 62 : 50), 2);
        info.CopyTo(file, infoAt);
        Encoding.ASCII.GetBytes(names).CopyTo(file, namesAt);
        Section(1, 1, infoAt, info.Length);
        Section(2, 10, namesAt, names.Length);
        return file;

        void Section(int index, int name, int at, int size)
        {
            var header = file.AsSpan(tableAt + (index * sectionSize));
            BinaryPrimitives.WriteInt32LittleEndian(header, name);
            Address(header[(is64 ? 24 : 16)..], at);
            Address(header[(is64 ? 32 : 20)..], size);
        }

        void Address(Span<byte> where, int value)
        {
            if (is64)
            {
                BinaryPrimitives.WriteInt64LittleEndian(where, value);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(where, value);
            }
        }
    }
}
