using System;
using System.Text;
using System.Text.RegularExpressions;

namespace VirtShell.Images.Packages;

/// <summary>Shell patterns over paths: * and ? stay within a folder, ** crosses folders, [a-z] is a class.</summary>
internal sealed class PathGlob
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);

    private readonly Regex _regex;

    public PathGlob(string glob)
    {
        var pattern = new StringBuilder("^");
        for (var i = 0; i < glob.Length; i++)
        {
            switch (glob[i])
            {
                case '*' when i + 1 < glob.Length && glob[i + 1] == '*':
                    i++;
                    if (i + 1 < glob.Length && glob[i + 1] == '/')
                    {
                        i++;
                        pattern.Append("(.*/)?");
                    }
                    else
                    {
                        pattern.Append(".*");
                    }

                    break;
                case '*':
                    pattern.Append("[^/]*");
                    break;
                case '?':
                    pattern.Append("[^/]");
                    break;
                case '[' when glob.IndexOf(']', i + 1) is > 0 and var end && end > i + 1:
                    var set = glob[(i + 1)..end];
                    pattern.Append(set[0] is '!' or '^' ? "[^/" : "[").Append(Regex.Escape(set.TrimStart('!', '^')).Replace("]", "\\]", StringComparison.Ordinal)).Append(']');
                    i = end;
                    break;
                default:
                    pattern.Append(Regex.Escape(glob[i].ToString()));
                    break;
            }
        }

        _regex = new Regex(pattern.Append('$').ToString(), RegexOptions.CultureInvariant, s_limit);
    }

    public bool IsMatch(string path) => _regex.IsMatch(path);
}
