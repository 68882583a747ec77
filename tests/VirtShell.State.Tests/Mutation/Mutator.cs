using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace VirtShell.State.Tests.Mutation;

/// <summary>Makes damaged copies of good files: bits and numbers changed, parts cut, doubled and moved, words of the format put where they do not belong. The same seed gives the same copies.</summary>
internal sealed class Mutator(int seed, IReadOnlyList<byte[]> goods, IReadOnlyList<string> words)
{
    private const int MostChanges = 4;
    private const int LongestInsertion = 1 << 16;

    private static readonly ulong[] s_numbers = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue];

    private static readonly string[] s_texts = ["0", "-1", "1e999", "18446744073709551616", "99999999999999999999999999", "0x7fffffff", "\0", "\n", "\u00e9", "\ufeff", "\ud83d\ude00"];

    private readonly Random _random = new(seed);

    /// <summary>The next copy; sometimes nothing, noise, or the good file itself.</summary>
    public byte[] Next()
    {
        List<byte> bytes = [.. goods[_random.Next(goods.Count)]];
        switch (_random.Next(40))
        {
            case 0:
                return [];
            case 1:
                byte[] noise = new byte[_random.Next(2000)];
                _random.NextBytes(noise);
                return noise;
            default:
                for (int i = _random.Next(MostChanges + 1); i > 0; i--)
                {
                    Change(bytes);
                }

                return [.. bytes];
        }
    }

    private void Change(List<byte> bytes)
    {
        int at = _random.Next(bytes.Count + 1);
        int length = Math.Min(_random.Next(4) == 0 ? _random.Next(bytes.Count + 1) : _random.Next(17), bytes.Count - at);
        switch (_random.Next(11))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2 or 3:
                Overwrite(bytes, at);
                break;
            case 4:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 5:
                bytes.RemoveRange(at, length);
                break;
            case 6:
                bytes.InsertRange(_random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 7:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Word()));
                break;
            case 8:
                ReplaceValue(bytes, at);
                break;
            case 9 when _random.Next(8) == 0:
                Nest(bytes, at);
                break;
            case 10:
                byte[] noise = new byte[_random.Next(20)];
                _random.NextBytes(noise);
                bytes.InsertRange(at, noise);
                break;
            default:
                break;
        }
    }

    private void Overwrite(List<byte> bytes, int at)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, s_numbers[_random.Next(s_numbers.Length)]);
        int size = 1 << _random.Next(4);
        for (int i = 0; i < size && at + i < bytes.Count; i++)
        {
            bytes[at + i] = number[i];
        }
    }

    /// <summary>Puts a word where the next number or word of a text stands.</summary>
    private void ReplaceValue(List<byte> bytes, int at)
    {
        while (at < bytes.Count && !char.IsAsciiLetterOrDigit((char)bytes[at]))
        {
            at++;
        }

        int end = at;
        while (end < bytes.Count && char.IsAsciiLetterOrDigit((char)bytes[end]))
        {
            end++;
        }

        bytes.RemoveRange(at, end - at);
        bytes.InsertRange(at, Encoding.UTF8.GetBytes(Word()));
    }

    private void Nest(List<byte> bytes, int at)
    {
        string[] openings = ["[", "{\"a\":", "{a: ", "- ", "("];
        StringBuilder text = new();
        string opening = openings[_random.Next(openings.Length)];
        for (int i = _random.Next(LongestInsertion / opening.Length); i > 0; i--)
        {
            text.Append(opening);
        }

        bytes.InsertRange(at, Encoding.UTF8.GetBytes(text.ToString()));
    }

    private string Word() => _random.Next(3) switch
    {
        0 => s_texts[_random.Next(s_texts.Length)],
        1 => _random.NextInt64().ToString(CultureInfo.InvariantCulture),
        _ => words.Count == 0 ? "null" : words[_random.Next(words.Count)],
    };
}
