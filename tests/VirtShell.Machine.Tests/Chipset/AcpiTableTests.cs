using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Machine.Acpi;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class AcpiTableTests
{
    private const uint Start = 0xE_0000;
    private readonly byte[] _image = AcpiTables.Build(Start, new TestBoard().Board);

    [Fact]
    public void Every_table_is_reached_and_sums_to_zero()
    {
        ReadOnlySpan<byte> rsdp = _image.AsSpan(0, 36);
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(rsdp[..8]));
        Assert.Equal(0, Sum(rsdp[..20]));
        Assert.Equal(0, Sum(rsdp));
        ReadOnlySpan<byte> rsdt = Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdp[16..]), "RSDT");
        ReadOnlySpan<byte> xsdt = Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdp[24..]), "XSDT");
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian(rsdt[(36 + (4 * i))..]), BinaryPrimitives.ReadUInt64LittleEndian(xsdt[(36 + (8 * i))..]));
        }

        ReadOnlySpan<byte> fadt = Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdt[36..]), "FACP");
        Assert.Equal(244, fadt.Length);
        Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdt[40..]), "APIC");
        Table(BinaryPrimitives.ReadUInt32LittleEndian(fadt[40..]), "DSDT");
        uint facs = BinaryPrimitives.ReadUInt32LittleEndian(fadt[36..]);
        Assert.Equal(0u, facs % 64);
        Assert.Equal("FACS", Encoding.ASCII.GetString(_image.AsSpan((int)(facs - Start), 4)));
        Assert.True(_image.Length <= 0x2_0000, "the tables fit below 1 MiB");
    }

    [SkippableFact]
    public void The_reference_compiler_disassembles_and_recompiles_the_tables()
    {
        string? iasl = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "iasl")).FirstOrDefault(File.Exists);
        Skip.If(iasl is null, "iasl (package acpica-tools) is not installed");
        string folder = Directory.CreateTempSubdirectory("acpi-tables").FullName;
        try
        {
            ReadOnlySpan<byte> rsdt = Table(BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(16)), "RSDT");
            ReadOnlySpan<byte> fadt = Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdt[36..]), "FACP");
            foreach ((string name, byte[] table) in new[]
            {
                ("facp", fadt.ToArray()),
                ("apic", Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdt[40..]), "APIC").ToArray()),
                ("dsdt", Table(BinaryPrimitives.ReadUInt32LittleEndian(fadt[40..]), "DSDT").ToArray()),
            })
            {
                File.WriteAllBytes(Path.Combine(folder, name + ".dat"), table);
                string listing = Run(iasl!, folder, "-d", name + ".dat");
                Assert.True(File.Exists(Path.Combine(folder, name + ".dsl")), listing);
                Assert.DoesNotContain("Incorrect checksum", listing, StringComparison.OrdinalIgnoreCase);
                string compiled = Run(iasl!, folder, "-p", name + "2", name + ".dsl");
                Assert.Contains("Compilation successful. 0 Errors, 0 Warnings", compiled.Replace("Compilation complete", "Compilation successful", StringComparison.Ordinal), StringComparison.Ordinal);
                if (name != "dsdt")
                {
                    continue;
                }

                byte[] again = File.ReadAllBytes(Path.Combine(folder, name + "2.aml"));
                Assert.Equal(table.AsSpan(36).ToArray(), again.AsSpan(36).ToArray());
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string program, string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        System.Threading.Tasks.Task<string> errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text + errors.Result;
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return sum;
    }

    private ReadOnlySpan<byte> Table(uint address, string signature)
    {
        ReadOnlySpan<byte> table = _image.AsSpan((int)(address - Start));
        Assert.Equal(signature, Encoding.ASCII.GetString(table[..4]));
        table = table[..BinaryPrimitives.ReadInt32LittleEndian(table[4..])];
        Assert.Equal(0, Sum(table));
        return table;
    }
}
