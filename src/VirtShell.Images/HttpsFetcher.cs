using System;
using System.IO;
using System.Net.Http;
using System.Security.Cryptography;
using System.Threading;

namespace VirtShell.Images;

/// <summary>Downloads by URL and hash. The hash is the identity: a file that is in the cache is never fetched again.</summary>
internal sealed class HttpsFetcher(ImageCache cache)
{
    private const int BufferSize = 1 << 17;
    private const int HashLength = 64;

    private static readonly HttpClient Client = new() { Timeout = Timeout.InfiniteTimeSpan };

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
            if (!File.Exists(path))
            {
                progress?.Report($"Downloading {address}");
                cache.WriteWhole(path, stream => Download(address, hash, stream, cancellation));
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

    private static void Download(Uri address, string expected, Stream output, CancellationToken cancellation)
    {
        string actual;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            using var response = Client.Send(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (!response.IsSuccessStatusCode)
            {
                throw new ImageException($"{address}: the server answered {(int)response.StatusCode} {response.ReasonPhrase}.");
            }

            using var hasher = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var input = response.Content.ReadAsStream(cancellation);
            var buffer = new byte[BufferSize];
            for (int count; (count = input.Read(buffer)) > 0;)
            {
                cancellation.ThrowIfCancellationRequested();
                hasher.AppendData(buffer, 0, count);
                output.Write(buffer, 0, count);
            }

            actual = Convert.ToHexStringLower(hasher.GetHashAndReset());
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new ImageException($"Cannot download {address}: {e.Message} Check the network, or download it yourself and give its path.", e);
        }

        if (actual != expected)
        {
            throw new ImageException($"{address} has the sha256 {actual}, not {expected}: the file has changed or is damaged. Nothing was kept.");
        }
    }
}
