using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Text;

namespace VirtShell.Machine.Input;

/// <summary>A key with what must be held while it is pressed.</summary>
public readonly record struct KeyStroke(PcKey Key, bool Shift = false, bool AltGr = false, bool Ctrl = false, bool Alt = false, bool Win = false)
{
    /// <summary>The keys in the order in which they go down; they go up in the opposite one.</summary>
    public IEnumerable<PcKey> Keys
    {
        get
        {
            if (Ctrl)
            {
                yield return PcKey.LeftCtrl;
            }

            if (Alt)
            {
                yield return PcKey.LeftAlt;
            }

            if (Win)
            {
                yield return PcKey.LeftWin;
            }

            if (Shift)
            {
                yield return PcKey.LeftShift;
            }

            if (AltGr)
            {
                yield return PcKey.RightAlt;
            }

            yield return Key;
        }
    }
}

/// <summary>Which characters keys give in a country. The guest must use the same layout.</summary>
public sealed class KeyLayout
{
    private const char NoCharacter = '\0';

    // A combining accent, then letters, each before itself with the accent.
    private static readonly string[] s_accents =
    [
        "\u0300aàeèiìoòuùAÀEÈIÌOÒUÙ",
        "\u0301aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝ",
        "\u0302aâeêiîoôuûAÂEÊIÎOÔUÛ",
        "\u0303aãnñoõAÃNÑOÕ",
        "\u0308aäeëiïoöuüyÿAÄEËIÏOÖUÜ",
    ];

    private readonly Dictionary<char, KeyStroke> _strokes = [];

    // Accents that wait for the next key, by the combining character that they add.
    private readonly Dictionary<char, KeyStroke> _dead = [];

    private KeyLayout(string name, string title, string rows, string dead)
    {
        Name = name;
        Title = title;
        foreach (string row in rows.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = row.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            PcKey key = Enum.Parse<PcKey>(parts[0]);
            for (int level = 0; level < parts.Length - 1; level++)
            {
                char character = parts[level + 1] == "--" ? NoCharacter : parts[level + 1][0];
                if (character != NoCharacter)
                {
                    _strokes.TryAdd(character, new KeyStroke(key, Shift: level == 1, AltGr: level == 2));
                }
            }
        }

        foreach (PcKey key in Enum.GetValues<PcKey>().Where(key => key <= PcKey.Z))
        {
            char letter = (char)('a' + (int)key);
            if (!_strokes.ContainsKey(letter))
            {
                _strokes[letter] = new KeyStroke(key);
                _strokes[char.ToUpperInvariant(letter)] = new KeyStroke(key, Shift: true);
            }
        }

        _strokes[' '] = new KeyStroke(PcKey.Space);
        _strokes['\n'] = new KeyStroke(PcKey.Enter);
        _strokes['\t'] = new KeyStroke(PcKey.Tab);
        _strokes['\b'] = new KeyStroke(PcKey.Backspace);
        _strokes['\u001B'] = new KeyStroke(PcKey.Escape);
        foreach (string accent in dead.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            // An accent stands in the rows by the character that it is alone; it takes a space to be that.
            _dead[accent[1]] = _strokes[accent[0]];
            _strokes.Remove(accent[0]);
        }
    }

    /// <summary>United States.</summary>
    public static KeyLayout Us { get; } = new("us", "United States", UsRows, string.Empty);

    /// <summary>Germany.</summary>
    public static KeyLayout De { get; } = new("de", "Germany", DeRows, "^\u0302 ´\u0301 `\u0300");

    /// <summary>France.</summary>
    public static KeyLayout Fr { get; } = new("fr", "France", FrRows, "^\u0302 ¨\u0308 ~\u0303 `\u0300");

    /// <summary>Every layout.</summary>
    public static IReadOnlyList<KeyLayout> All { get; } = [Us, De, Fr];

    /// <summary>Two letters.</summary>
    public string Name { get; }

    public string Title { get; }

    /// <summary>Finds a layout by its name, in any case.</summary>
    public static bool TryFind(string? name, [NotNullWhen(true)] out KeyLayout? layout)
    {
        layout = All.FirstOrDefault(l => l.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return layout is not null;
    }

    /// <summary>Finds the strokes that give a text; a carriage return with a line feed is one Enter. False where a character has none, which is given.</summary>
    public bool TryType(string text, [NotNullWhen(true)] out IReadOnlyList<KeyStroke>? strokes, out string missing)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<KeyStroke> found = [];
        strokes = found;
        missing = string.Empty;
        foreach (Rune rune in text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').EnumerateRunes())
        {
            if (!rune.IsBmp || !TryType((char)rune.Value, found))
            {
                missing = rune.ToString();
                strokes = null;
                return false;
            }
        }

        return true;
    }

    private bool TryType(char character, List<KeyStroke> found)
    {
        if (_strokes.TryGetValue(character, out KeyStroke stroke))
        {
            found.Add(stroke);
            return true;
        }

        // An accent alone, or a letter with one.
        (char letter, char accent) = character switch
        {
            '^' => (' ', '\u0302'),
            '´' => (' ', '\u0301'),
            '`' => (' ', '\u0300'),
            '~' => (' ', '\u0303'),
            '¨' => (' ', '\u0308'),
            _ => Decompose(character),
        };
        if (_dead.TryGetValue(accent, out KeyStroke dead) && _strokes.TryGetValue(letter, out KeyStroke bare))
        {
            found.Add(dead);
            found.Add(bare);
            return true;
        }

        return false;
    }

    // By a table: hosts without data of languages take nothing apart.
    private static (char Letter, char Accent) Decompose(char character)
    {
        foreach (string row in s_accents)
        {
            int index = row.IndexOf(character, 1);
            if (index > 0 && index % 2 == 0)
            {
                return (row[index - 1], row[0]);
            }
        }

        return (NoCharacter, NoCharacter);
    }

    // A key, then its character alone, with shift and with AltGr; "--" is none.
    private const string UsRows = """
        Grave ` ~
        D1 1 !
        D2 2 @
        D3 3 #
        D4 4 $
        D5 5 %
        D6 6 ^
        D7 7 &
        D8 8 *
        D9 9 (
        D0 0 )
        Minus - _
        Equals = +
        LeftBracket [ {
        RightBracket ] }
        Backslash \ |
        Semicolon ; :
        Apostrophe ' "
        Comma , <
        Period . >
        Slash / ?
        """;

    private const string DeRows = """
        Grave ^ °
        D1 1 !
        D2 2 " ²
        D3 3 § ³
        D4 4 $
        D5 5 %
        D6 6 &
        D7 7 / {
        D8 8 ( [
        D9 9 ) ]
        D0 0 = }
        Minus ß ? \
        Equals ´ `
        Q q Q @
        E e E €
        Y z Z
        Z y Y
        M m M µ
        LeftBracket ü Ü
        RightBracket + * ~
        Backslash # '
        Semicolon ö Ö
        Apostrophe ä Ä
        Less < > |
        Comma , ;
        Period . :
        Slash - _
        """;

    private const string FrRows = """
        Grave ²
        D1 & 1
        D2 é 2 ~
        D3 " 3 #
        D4 ' 4 {
        D5 ( 5 [
        D6 - 6 |
        D7 è 7 `
        D8 _ 8 \
        D9 ç 9
        D0 à 0 @
        Minus ) ° ]
        Equals = + }
        Q a A
        W z Z
        A q Q
        Z w W
        E e E €
        LeftBracket ^ ¨
        RightBracket $ £ ¤
        Semicolon m M
        Apostrophe ù %
        Backslash * µ
        Less < >
        M , ?
        Comma ; .
        Period : /
        Slash ! §
        """;
}
