using System;

namespace VirtShell.Bench;

/// <summary>The comparison cannot be run; the message says what is missing and how to get it.</summary>
public sealed class BenchException : Exception
{
    public BenchException(string message)
        : base(message)
    {
    }

    public BenchException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    public BenchException()
    {
    }
}
