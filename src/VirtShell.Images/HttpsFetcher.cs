using System;
using System.Globalization;
using System.IO;
using System.Net.Http;
using System.Security.Cryptography;
using System.Threading;

namespace VirtShell.Images;

/// <summary>What a download may cost.</summary>
/// <param name="MostBytes">The largest file.</param>
/// <param name="Stall">How long a server may send nothing at all.</param>
internal sealed record DownloadLimits(long MostBytes, TimeSpan Stall)
{
    /// <summary>The environment variable that sets <see cref="MostBytes"/>, in MiB.</summary>
    public const string SizeVariable = "VIRTSHELL_DOWNLOAD_LIMIT_MIB";

    private const long DefaultMiB = 8192;
    private const int StallSeconds = 60;

    /// <summary>8 GiB, or what the environment says, and a minute.</summary>
    public static DownloadLimits Default => new(
        (long.TryParse(Environment.GetEnvironmentVariable(SizeVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var mebibytes) && mebibytes is > 0 and < long.MaxValue >> 20 ? mebibytes : DefaultMiB) << 20,
        TimeSpan.FromSeconds(StallSeconds));
}

/// <summary>Downloads by URL and hash. The hash is the identity: a file that is in the cache, and still has that hash, is never fetched again.</summary>
/// <param name="cache">Where files are kept.</param>
/// <param name="client">Does the transfers; null for one that all share.</param>
/// <param name="limits">Null for <see cref="DownloadLimits.Default"/>.</param>
internal sealed class HttpsFetcher(ImageCache cache, HttpClient? client = null, DownloadLimits? limits = null)
{
    private const int BufferSize = 1 << 17;
    private const int HashLength = 64;

    // Time is limited for each piece, since a large file may take hours.
    private static readonly HttpClient s_shared = new() { Timeout = Timeout.InfiniteTimeSpan };

    private readonly HttpClient _client = client ?? s_shared;
    private readonly DownloadLimits _limits = limits ?? DownloadLimits.Default;

    public ResolvedFile Fetch(Uri address, string? sha256, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (string.IsNullOrEmpty(sha256))
        {
            throw new ImageException($"{address} needs a sha256, so that what boots is what you mean: give it beside the source, or append #sha256=HEX.");
        }

        var hash = CheckHash(sha256);
        var path = Path.Combine(cache.Sub("downloads"), hash);
        using (cache.Lock(hash, progress, cancellation))
        {
            if (!ImageCache.Holds(path, hash))
            {
                var wasThere = Path.Exists(path);
                progress?.Report(wasThere ? $"The cached copy of {address} is damaged; downloading it again" : $"Downloading {address}");
                try
                {
                    cache.WriteWhole(path, stream => Download(address, hash, stream, cancellation));
                }
                catch (ImageException e) when (wasThere)
                {
                    throw ImageCache.Damaged(path, e);
                }
            }
        }

        return new ResolvedFile(path, hash, address.ToString());
    }

    /// <summary>The hash in lower case.</summary>
    public static string CheckHash(string sha256)
    {
        var hash = sha256.Trim().ToLowerInvariant();
        return hash.Length == HashLength && hash.AsSpan().IndexOfAnyExcept("0123456789abcdef") < 0
            ? hash
            : throw new ImageException($"'{sha256}' is not a sha256: {HashLength} hexadecimal digits are.");
    }

    private void Download(Uri address, string expected, Stream output, CancellationToken cancellation)
    {
        string actual;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            patience.CancelAfter(_limits.Stall);
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            using var response = _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).GetAwaiter().GetResult();
            if (!response.IsSuccessStatusCode)
            {
                throw new ImageException($"{address}: the server answered {(int)response.StatusCode} {response.ReasonPhrase}.");
            }

            CheckSize(address, response.Content.Headers.ContentLength ?? 0);
            using var hasher = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var input = response.Content.ReadAsStreamAsync(patience.Token).GetAwaiter().GetResult();
            var buffer = new byte[BufferSize];
            long total = 0;
            while (true)
            {
                patience.CancelAfter(_limits.Stall);
                var count = input.ReadAsync(buffer, patience.Token).AsTask().GetAwaiter().GetResult();
                if (count == 0)
                {
                    break;
                }

                CheckSize(address, total += count);
                hasher.AppendData(buffer, 0, count);
                output.Write(buffer, 0, count);
            }

            actual = Convert.ToHexStringLower(hasher.GetHashAndReset());
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new ImageException($"Cannot download {address}: the server sent nothing for {_limits.Stall.TotalSeconds:0.#} seconds. Try again, or download it yourself and give its path.", e);
        }
        catch (HttpRequestException e)
        {
            throw CannotDownload(address, e);
        }
        catch (IOException e) when (!Storage.HostError.IsDiskFull(e))
        {
            throw CannotDownload(address, e);
        }

        if (actual != expected)
        {
            throw new ImageException($"{address} has the sha256 {actual}, not {expected}: the file has changed or is damaged. Nothing was kept.");
        }
    }

    private static ImageException CannotDownload(Uri address, Exception e) =>
        new($"Cannot download {address}: {e.Message} Check the network, or download it yourself and give its path.", e);

    private void CheckSize(Uri address, long bytes)
    {
        if (bytes > _limits.MostBytes)
        {
            throw new ImageException($"{address} has more than {_limits.MostBytes >> 20} MiB, the most that is downloaded. If that is right, set {DownloadLimits.SizeVariable} to a larger number of MiB.");
        }
    }
}
