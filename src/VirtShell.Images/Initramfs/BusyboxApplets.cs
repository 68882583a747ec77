using System;
using System.Collections.Generic;
using System.Text;

namespace VirtShell.Images.Initramfs;

/// <summary>
/// Which commands a busybox binary has. Busybox keeps their names as one sorted run of zero-terminated strings that
/// begins with "[" and "[[", so they can be read without running a foreign binary, on any host.
/// </summary>
internal static class BusyboxApplets
{
    private const int MaximumNameLength = 32;
    private const int PlausibleCount = 20;

    /// <summary>What nearly every build has, for one without test(1), where the run cannot be found.</summary>
    private static readonly string[] s_common =
    [
        "ash", "awk", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "dirname", "dmesg", "du", "echo",
        "env", "expr", "false", "find", "free", "grep", "gunzip", "gzip", "halt", "head", "hexdump", "hostname", "id", "insmod",
        "ip", "kill", "ln", "ls", "lsmod", "md5sum", "mkdir", "mknod", "modprobe", "more", "mount", "mv", "od", "ping", "poweroff",
        "printf", "ps", "pwd", "readlink", "reboot", "rm", "rmdir", "rmmod", "sed", "seq", "setsid", "sh", "sha256sum", "sleep",
        "sort", "stty", "switch_root", "sync", "tail", "tar", "tee", "test", "time", "top", "touch", "tr", "true", "tty", "umount",
        "uname", "uniq", "uptime", "vi", "watch", "wc", "which", "xargs", "yes", "zcat",
    ];

    private static ReadOnlySpan<byte> Start => "\0[\0[[\0"u8;

    public static IReadOnlyList<string> Read(ReadOnlySpan<byte> binary)
    {
        for (var from = 0; from < binary.Length;)
        {
            var at = binary[from..].IndexOf(Start);
            if (at < 0)
            {
                break;
            }

            var names = ReadRun(binary[(from + at + 1)..]);
            if (names.Count >= PlausibleCount)
            {
                return names;
            }

            from += at + 1;
        }

        return s_common;
    }

    private static List<string> ReadRun(ReadOnlySpan<byte> bytes)
    {
        List<string> names = [];
        while (true)
        {
            var length = bytes.IndexOf((byte)0);
            if (length is <= 0 or > MaximumNameLength || bytes[..length].IndexOfAnyExcept("[abcdefghijklmnopqrstuvwxyz0123456789_-.+"u8) >= 0)
            {
                return names;
            }

            var name = Encoding.ASCII.GetString(bytes[..length]);
            if (names.Count > 0 && string.CompareOrdinal(names[^1], name) >= 0)
            {
                return names;
            }

            names.Add(name);
            bytes = bytes[(length + 1)..];
        }
    }
}
