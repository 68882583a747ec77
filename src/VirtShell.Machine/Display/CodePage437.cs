using System;

namespace VirtShell.Machine.Display;

/// <summary>The characters of a PC's font in Unicode, with the pictures that stand at the control codes.</summary>
internal static class CodePage437
{
    internal const char NoBreakSpace = '\u00A0';

    private const string Characters =
        " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" +
        " !\"#$%&'()*+,-./0123456789:;<=>?" +
        "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_" +
        "`abcdefghijklmnopqrstuvwxyz{|}~⌂" +
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ" +
        "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
        "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
        "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";

    /// <summary>The Unicode character of a code.</summary>
    public static char ToUnicode(byte code) => Characters[code];

    /// <summary>The code of a Unicode character; false where the font has none.</summary>
    public static bool TryFromUnicode(char character, out byte code)
    {
        int index = character == ' ' ? ' ' : Characters.IndexOf(character, StringComparison.Ordinal);
        code = (byte)Math.Max(index, 0);
        return index >= 0;
    }
}
