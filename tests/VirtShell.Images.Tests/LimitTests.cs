using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Images.Initramfs;
using VirtShell.Images.Packages;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Images.Tests;

/// <summary>Nothing that is fetched, read or unpacked can take more than its share, nor wait for ever.</summary>
public sealed class LimitTests : IDisposable
{
    private const string HashOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_download_is_taken()
    {
        using var server = new Server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        Assert.Equal("hello", File.ReadAllText(Fetch(server, 1 << 20, CancellationToken.None).Path));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello, and more than is wanted")]
    public void A_download_larger_than_the_limit_is_refused(string answer)
    {
        using var server = new Server(answer);
        var error = Assert.Throws<ImageException>(() => Fetch(server, 8, CancellationToken.None));
        Assert.Contains(DownloadLimits.SizeVariable, error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder.Path, "cache", "tmp")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")]
    public void A_server_that_falls_silent_is_given_up(string answer)
    {
        using var server = new Server(answer, staysOpen: true);
        var error = Assert.Throws<ImageException>(() => Fetch(server, 1 << 20, CancellationToken.None, TimeSpan.FromMilliseconds(200)));
        Assert.Contains("sent nothing for", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")]
    public void A_download_can_be_cancelled(string answer)
    {
        using var stop = new CancellationTokenSource();
        using var server = new Server(answer, staysOpen: true, answered: stop.Cancel);
        Assert.ThrowsAny<OperationCanceledException>(() => Fetch(server, 1 << 20, stop.Token));
    }

    [SkippableFact]
    public void A_device_is_no_file_and_a_pipe_is_read_once()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "/dev/zero and mkfifo are Linux'.");
        var resolver = new ImageResolver(Path.Combine(_folder.Path, "cache"));
        Assert.Contains("is a device", Assert.Throws<ImageException>(() => resolver.Resolve("/dev/zero", "/")).Message, StringComparison.Ordinal);

        var pipe = Pipe();
        var writer = Task.Run(() => File.WriteAllText(pipe, "hello"));
        var file = resolver.Resolve(pipe, "/", HashOfHello);
        Assert.Equal("hello"u8.ToArray(), file.Content);
        writer.Wait();
    }

    [SkippableFact]
    public void Waiting_for_a_pipe_can_be_cancelled_and_too_much_is_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "mkfifo is Linux'.");
        var pipe = Pipe();
        using var stop = new CancellationTokenSource();
        var reading = Task.Run(() => FileContent.Read(pipe, 100, allowPipe: true, stop.Token));
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => reading.GetAwaiter().GetResult());

        // The reader that was left waiting takes what comes first.
        var other = Pipe();
        var writer = Task.Run(() =>
        {
            try
            {
                File.WriteAllBytes(other, new byte[1000]);
            }
            catch (IOException)
            {
                // The reader had enough.
            }
        });
        Assert.Contains("more than", Assert.Throws<IOException>(() => FileContent.Read(other, 100, allowPipe: true)).Message, StringComparison.Ordinal);
        writer.Wait();
    }

    [SkippableFact]
    public void A_pipe_in_a_folder_to_copy_is_refused()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "mkfifo is Linux'.");
        _folder.Write("root/file", "x");
        Make(Path.Combine(_folder.Path, "root", "pipe"));
        var error = Assert.Throws<ImageException>(() => new ImageResolver(Path.Combine(_folder.Path, "cache")).BuildInitramfs(new InitramfsDefinition { Folder = "root" }, _folder.Path));
        Assert.Contains("pipe", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A small package of nothing but zeros is made to fill a disk.</summary>
    [Fact]
    public void A_package_that_unpacks_to_far_too_much_is_refused()
    {
        var deb = _folder.Write("p.deb", DebFiles.Pack(".zst", new byte[256 << 20]));
        var limit = UnpackingStream.PackageLimit(new FileInfo(deb).Length);
        Assert.True(limit < 256 << 20);
        var error = Assert.Throws<InvalidDataException>(() =>
        {
            using var packed = File.OpenRead(_folder.Write("zeros.zst", DebFiles.Compress(new byte[256 << 20], ".zst")));
            using var stream = new UnpackingStream(new ZstdSharp.DecompressionStream(packed), limit);
            stream.CopyTo(Stream.Null);
        });
        Assert.Contains("unpacks to more than", error.Message, StringComparison.Ordinal);
    }

    // Codes of dictionaries (.xz file format, section 5.3.1): 28 is 64 MiB, 29 is 96, 40 is 4 GiB, 41 is none.
    [Theory]
    [InlineData(28, false, null)]
    [InlineData(28, true, null)]
    [InlineData(29, false, "96 MiB")]
    [InlineData(29, true, "96 MiB")]
    [InlineData(40, false, "4,096 MiB")]
    [InlineData(41, true, "an unknown size")]
    public void A_dictionary_that_is_too_large_is_refused(int code, bool inSecondBlock, string? told)
    {
        var good = Convert.FromBase64String(PackageMutationTests.PackedByXz);
        const int block = 12;
        const int footer = 12;
        var index = good.Length - footer - ((BitConverter.ToInt32(good, good.Length - 8) + 1) * 4);
        var second = good[block..index];
        second[4] = (byte)code;
        BitConverter.GetBytes(Crc32(second.AsSpan(0, 8))).CopyTo(second, 8);
        byte[] xz = [.. inSecondBlock ? good[..index] : good[..block], .. second, .. good[index..]];
        foreach (var useHostTool in (bool[])[false, true])
        {
            var deb = _folder.Write("large.deb", DebFiles.Pack(".xz", xz));
            Judge(deb, () => DebArchive.ReadFiles(deb, _ => { }, CancellationToken.None, useHostTool), isRead: !useHostTool);
        }

        const string name = "lib/modules/6.1.0/kernel/large.ko.xz";
        _folder.Write(name, xz);
        Judge(name, () => _ = new FolderModuleStore(_folder.Path).Read(name), isRead: true);

        void Judge(string file, Action read, bool isRead)
        {
            if (told is not null)
            {
                var error = Assert.Throws<ImageException>(read);
                Assert.Contains(file, error.Message, StringComparison.Ordinal);
                Assert.Contains($"{told}, and 64 MiB are the most", error.Message, StringComparison.Ordinal);
            }
            else if (isRead)
            {
                read();
            }
        }
    }

    [Theory]
    [InlineData(26, true)]
    [InlineData(27, false)]
    public void A_window_that_is_too_large_is_refused(int log, bool isRead)
    {
        using var packed = new MemoryStream();
        using (var stream = new ZstdSharp.CompressionStream(packed, leaveOpen: true))
        {
            stream.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_windowLog, log);
            stream.Write(DebFiles.Tar([DebFiles.Regular("./a", "content")]));
            stream.Flush();
        }

        var deb = _folder.Write("large.deb", DebFiles.Pack(".zst", packed.ToArray(), isPacked: true));
        void Read() => DebArchive.ReadFiles(deb, _ => { }, CancellationToken.None, useHostTool: false);
        if (isRead)
        {
            Read();
            return;
        }

        var error = Assert.Throws<ImageException>(Read);
        Assert.Contains(deb, error.Message, StringComparison.Ordinal);
        Assert.Contains("more than 64 MiB of memory", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_claims_to_be_huge_is_refused_before_it_is_read()
    {
        var tar = DebFiles.Tar([DebFiles.Regular("./" + new string('n', 200), "x")]);
        Assert.Equal((byte)'L', tar[156]);
        Encoding.ASCII.GetBytes("17777777777\0").CopyTo(tar, 124);
        var deb = _folder.Write("p.deb", DebFiles.Pack(".gz", tar));
        var error = Assert.Throws<ImageException>(() => DebArchive.ReadFiles(deb, _ => { }, CancellationToken.None, useHostTool: false));
        Assert.Contains("the name of one of its files has", error.Message, StringComparison.Ordinal);
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
        {
            crc ^= one;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) == 0 ? 0 : 0xEDB8_8320);
            }
        }

        return ~crc;
    }

    private string Pipe() => Make(Path.Combine(_folder.Path, Guid.NewGuid().ToString("N")));

    private static string Make(string path)
    {
        using var process = Process.Start("mkfifo", path);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return path;
    }

    private ResolvedFile Fetch(Server server, long mostBytes, CancellationToken cancellation, TimeSpan? stall = null)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        });
        var fetcher = new HttpsFetcher(new ImageCache(Path.Combine(_folder.Path, "cache")), client, new DownloadLimits(mostBytes, stall ?? TimeSpan.FromMinutes(5)));
        return fetcher.Fetch(server.Address, HashOfHello, null, cancellation);
    }

    /// <summary>A server for one request, with a certificate of its own.</summary>
    private sealed class Server : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _serving;

        public Server(string answer, bool staysOpen = false, Action? answered = null)
        {
            _listener.Start();
            _serving = Task.Run(() => Serve(answer, staysOpen, answered));
        }

        public Uri Address => new($"https://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}/file");

        public void Dispose()
        {
            _closed.TrySetResult();
            _listener.Dispose();
            _serving.Wait();
        }

        private async Task Serve(string answer, bool staysOpen, Action? answered)
        {
            try
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
                using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
                using var client = await _listener.AcceptTcpClientAsync();
                await using var stream = new SslStream(client.GetStream());
                await stream.AuthenticateAsServerAsync(certificate);
                var buffer = new byte[4096];
                _ = await stream.ReadAsync(buffer);
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer));
                answered?.Invoke();
                if (staysOpen)
                {
                    await _closed.Task;
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // The client has gone, as some tests want.
            }
        }
    }
}
