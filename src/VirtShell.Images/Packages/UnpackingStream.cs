using System;
using System.Globalization;
using System.IO;
using ZstdSharp.Unsafe;

namespace VirtShell.Images.Packages;

/// <summary>
/// Reads what is being decompressed, up to a limit, so that a small file cannot fill memory or disk. Whatever a
/// decompressor makes of damaged input becomes <see cref="InvalidDataException"/>; the libraries throw many kinds.
/// </summary>
internal sealed class UnpackingStream(Stream inner, long limit) : Stream
{
    /// <summary>The most bytes of one kernel module, or another file of a package that is read into memory.</summary>
    public const long LargestFile = 256 << 20;

    /// <summary>The most bytes of all files of a package.</summary>
    private const long LargestPackage = 16L << 30;

    // Packages and modules shrink to a tenth at best; what shrinks to a 250th is made to do harm.
    private const long Ratio = 250;
    private const long RatioAllowance = 64 << 20;

    private long _count;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _count;
        set => throw new NotSupportedException();
    }

    /// <summary>The most bytes that a package of this size may unpack to.</summary>
    public static long PackageLimit(long packed) => Math.Min(LargestPackage, RatioAllowance + (packed * Ratio));

    public override int Read(Span<byte> buffer)
    {
        int count;
        try
        {
            count = inner.Read(buffer);
        }
        catch (ZstdSharp.ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw new InvalidDataException($"to unpack it takes more than {XzGuard.LargestDictionary >> 20} MiB of memory", e);
        }
        catch (Exception e) when (e is not IOException and not OperationCanceledException and not InvalidDataException)
        {
            throw new InvalidDataException("it cannot be unpacked: " + e.Message, e);
        }

        _count += count;
        return _count <= limit
            ? count
            : throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"it unpacks to more than {limit:N0} bytes"));
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
