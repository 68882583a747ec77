using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Machine;
using VirtShell.State;
using Xunit;

namespace VirtShell.Host.Tests;

public sealed class SerialLogTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_383)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(200_000)]
    public void Everything_that_was_appended_can_be_read_from_any_offset(int count)
    {
        SerialLog log = new();
        byte[] bytes = [.. Enumerable.Range(0, count).Select(i => (byte)(i * 7))];
        Fill(log, bytes);

        Assert.Equal(count, log.Length);
        Assert.Equal(bytes, log.GetBytes());
        Assert.Equal(bytes.Skip(count / 3), log.GetBytes(count / 3));
        Assert.Empty(log.GetBytes(count));
        Assert.Empty(log.GetBytes(count + 5));
    }

    [Fact]
    public void Beyond_its_capacity_the_beginning_is_dropped_and_the_count_goes_on()
    {
        SerialLog log = new(capacity: 32 * 1024);
        byte[] bytes = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i >> 4))];
        Fill(log, bytes);

        Assert.Equal(100_000, log.Length);
        Assert.InRange(log.FirstOffset, 100_000 - (48 * 1024), 100_000 - (16 * 1024));
        Assert.Equal(bytes.Skip((int)log.FirstOffset), log.GetBytes());
        Assert.InRange(log.MemoryBytes, 16 * 1024, 64 * 1024);

        SerialLog whole = new();
        Fill(whole, bytes);
        Assert.Equal(whole.Hash, log.Hash);
    }

    [Fact]
    public void Logs_of_a_budget_take_from_the_one_that_holds_the_most()
    {
        SerialLogBudget budget = new(128 * 1024);
        SerialLog flooded = new(budget);
        SerialLog quiet = new(budget);
        SerialLog third = new(budget);
        byte[] few = [.. Enumerable.Range(0, 20_000).Select(i => (byte)(i >> 3))];
        byte[] many = [.. Enumerable.Range(0, 1_000_000).Select(i => (byte)(i >> 5))];
        Fill(flooded, many[..200_000]);
        Fill(quiet, few);
        Fill(flooded, many[200_000..]);
        Fill(third, many[..60_000]);

        Assert.Equal((1_000_000, 20_000, 60_000), (flooded.Length, quiet.Length, third.Length));
        Assert.Equal(few, quiet.GetBytes());
        Assert.InRange(third.GetBytes().Length, 30_000, 60_000);
        Assert.Equal(many[(int)third.FirstOffset..60_000], third.GetBytes());
        Assert.Equal(many[(int)flooded.FirstOffset..], flooded.GetBytes());
        Assert.InRange(flooded.ChunkCount + quiet.ChunkCount + third.ChunkCount, 1, 8);
    }

    /// <summary>As many logs as chunks, and more: none loses a chunk that it still fills.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void A_flood_leaves_alone_what_others_have_begun(int count)
    {
        SerialLogBudget budget = new(64 * 1024);
        SerialLog[] logs = [.. Enumerable.Range(0, count).Select(_ => new SerialLog(budget))];
        foreach (SerialLog log in logs)
        {
            Fill(log, "begun "u8.ToArray());
        }

        Fill(logs[^1], new byte[100_000]);
        foreach (SerialLog log in logs[..^1])
        {
            Fill(log, "and ended"u8.ToArray());
            Assert.Equal("begun and ended", log.GetText());
        }

        Assert.Equal(100_006, logs[^1].Length);
        Assert.InRange(logs.Sum(log => log.ChunkCount), 1, Math.Max(4, count));
    }

    [Theory]
    [InlineData(0, 1 << 20)]
    [InlineData(5, 1 << 20)]
    [InlineData(16_384, 1 << 20)]
    [InlineData(300_000, 1 << 20)]
    [InlineData(300_000, 64 << 10)]
    public void What_is_loaded_goes_on_at_the_same_offset(int count, int room)
    {
        byte[] bytes = [.. Enumerable.Range(0, count).Select(i => (byte)(i >> 6))];
        SerialLog saved = new(128 << 10);
        Fill(saved, bytes);
        SerialLog log = new(room);
        log.Load(saved.Save());
        Assert.Equal((saved.Length, saved.Hash), (log.Length, log.Hash));
        Assert.InRange(log.MemoryBytes, 0, room + 1024);
        saved.Append(7);
        log.Append(7);
        Assert.Equal((saved.Length, saved.Hash), (log.Length, log.Hash));
        Assert.InRange(log.FirstOffset, saved.FirstOffset, saved.Length - 1);
        Assert.Equal(saved.GetBytes(log.FirstOffset), log.GetBytes());
    }

    [Fact]
    public void The_logs_of_a_VM_share_one_budget_and_its_account_tells_of_all()
    {
        VirtualMachine vm = Vm.RunAlone(Vm.Guest("hello"));
        SerialLog[] logs = [.. Outlet.All.Select(vm.GetSerial)];
        for (int i = 0; i < 5 << 18; i++)
        {
            foreach (SerialLog log in logs)
            {
                for (int j = 0; j < 16; j++)
                {
                    log.Write((byte)j);
                }
            }
        }

        int share = (64 << 20) / logs.Length;
        Assert.All(logs, log => Assert.InRange(log.MemoryBytes, share - (1 << 20), share + (1 << 20)));
        Assert.Equal(logs.Sum(log => log.MemoryBytes), vm.HostMemory.LogBytes);
        Assert.InRange(vm.HostMemory.LogBytes, 63 << 20, 65 << 20);
    }

    [Fact]
    public void The_table_of_a_log_stays_small_however_much_is_sent()
    {
        SerialLog log = new(capacity: 64 * 1024);
        for (int i = 0; i < 100 << 20; i++)
        {
            log.Write(1);
        }

        Assert.InRange(log.MemoryBytes, 64 * 1024, 65 * 1024);
    }

    [Fact]
    public async Task A_reader_beside_a_writer_that_drops_gets_no_byte_of_another_place()
    {
        SerialLog log = new(capacity: 32 * 1024);
        Task<long> reader = Task.Run(() =>
        {
            long wrong = 0;
            while (!log.IsClosed)
            {
                byte[] part = log.GetBytes(0, long.MaxValue, out long start);
                for (int i = 0; i < part.Length; i++)
                {
                    wrong += part[i] == Mark(start + i) ? 0 : 1;
                }
            }

            return wrong;
        });
        for (long i = 0; i < 20 << 20; i++)
        {
            log.Write(Mark(i));
        }

        log.Close();
        Assert.Equal(0, await reader);
    }

    [Fact]
    public void Hashes_tell_logs_apart()
    {
        SerialLog one = new();
        SerialLog other = new();
        Fill(one, "abc"u8.ToArray());
        Fill(other, "acb"u8.ToArray());
        Assert.NotEqual(one.Hash, other.Hash);
    }

    [Theory]
    [InlineData("", 5, new string[0])]
    [InlineData("one", 5, new[] { "one" })]
    [InlineData("one\r\ntwo\r\nthree\r\n", 2, new[] { "two", "three" })]
    [InlineData("one\ntwo\n", 5, new[] { "one", "two" })]
    [InlineData("one\ntwo", 1, new[] { "two" })]
    public void The_tail_is_the_last_lines(string text, int lines, string[] expected)
    {
        SerialLog log = new();
        Fill(log, Encoding.UTF8.GetBytes(text));
        Assert.Equal(expected, log.GetTail(lines));
    }

    [Fact]
    public void A_tail_of_very_long_lines_is_found_too()
    {
        SerialLog log = new();
        string[] lines = [.. Enumerable.Range(0, 20).Select(i => new string((char)('a' + i), 5000))];
        Fill(log, Encoding.UTF8.GetBytes(string.Join("\n", lines) + "\n"));
        Assert.Equal(lines.Skip(10), log.GetTail(10));
    }

    [Fact]
    public async Task A_wait_ends_with_the_next_byte_or_the_close()
    {
        SerialLog log = new();
        Task first = log.WaitForMoreAsync(0, CancellationToken.None);
        Assert.False(first.IsCompleted);
        log.Append(65);
        await first;

        Task second = log.WaitForMoreAsync(1, CancellationToken.None);
        log.Close();
        await second;
        Assert.True(log.IsClosed);
        await log.WaitForMoreAsync(1, CancellationToken.None);
    }

    [Fact]
    public async Task A_follower_beside_the_writer_gets_every_byte_once_and_in_order()
    {
        SerialLog log = new();
        byte[] bytes = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31))];
        Task<byte[]> follower = Task.Run(async () =>
        {
            List<byte> seen = [];
            await foreach (byte[] part in log.FollowAsync())
            {
                seen.AddRange(part);
            }

            return seen.ToArray();
        });
        for (int i = 0; i < bytes.Length; i++)
        {
            if (i % 1000 == 0)
            {
                log.Append(bytes[i]);
            }
            else
            {
                log.Write(bytes[i]);
            }
        }

        log.Close();
        Assert.Equal(bytes, await follower);
    }

    [Theory]
    [InlineData("login: ", "login:", 0, 0, 6)]
    [InlineData("äöü login: ", "login:", 0, 7, 13)]
    [InlineData("x\nx\n", "x", 1, 2, 3)]
    public void A_search_tells_where_in_bytes(string text, string wanted, long from, long offset, long end)
    {
        SerialLog log = new();
        Fill(log, Encoding.UTF8.GetBytes(text));
        Assert.Equal(new SerialMatch(offset, end, wanted), new SerialSearch(log, wanted, from).Look());
        Assert.Equal(new SerialMatch(offset, end, wanted), new SerialSearch(log, new Regex(Regex.Escape(wanted)), from).Look());
    }

    [Fact]
    public void A_search_counts_bytes_that_are_no_characters()
    {
        SerialLog log = new();
        Fill(log, [0xFF, 0xC3, (byte)'a', 0xE2, 0x82, (byte)'b', (byte)'!']);
        Assert.Equal(new SerialMatch(5, 7, "b!"), new SerialSearch(log, "b!", 0).Look());
    }

    [Fact]
    public void A_search_finds_what_arrives_in_pieces_in_a_long_log()
    {
        SerialLog log = new();
        SerialSearch search = new(log, "needle", 0);
        Fill(log, new byte[150_000]);
        Fill(log, "nee"u8.ToArray());
        Assert.Null(search.Look());
        Fill(log, "dle"u8.ToArray());
        Assert.Equal(new SerialMatch(150_000, 150_006, "needle"), search.Look());
    }

    // Differs from chunk to chunk at the same place in it.
    private static byte Mark(long at) => (byte)((at >> 14) * 7);

    private static void Fill(SerialLog log, byte[] bytes)
    {
        foreach (byte one in bytes)
        {
            log.Append(one);
        }
    }

    [Fact]
    public void A_VM_says_how_much_its_logs_hold()
    {
        Assert.Equal(SerialLog.DefaultCapacity, Vm.RunAlone(Vm.Guest("hello")).Serial.Capacity);
        Assert.Equal(64 * 1024, Vm.RunAlone(Vm.Guest("hello") with { SerialLogBytes = 64 * 1024 }).Serial.Capacity);
    }
}
