using System;
using System.Collections.Generic;

namespace VirtShell.State.Tests;

/// <summary>A part with a field of every kind.</summary>
internal sealed class Sample : IStateful
{
    public bool Flag;
    public byte Small;
    public ushort Medium;
    public uint Large;
    public ulong Largest;
    public int Number;
    public long Big;
    public string? Text;
    public byte[] Any = [];
    public uint[] Numbers = new uint[3];
    public Queue<byte> Waiting = new();
    public int Clamped;
    public int Bounded;
    public byte Masked;
    public Inner Child = new();

    public static Sample Filled()
    {
        Sample sample = new()
        {
            Flag = true,
            Small = 0xFE,
            Medium = 0xFEDC,
            Large = 0xFEDC_BA98,
            Largest = ulong.MaxValue,
            Number = -5,
            Big = long.MinValue,
            Text = "grüße",
            Any = [1, 2, 3],
            Numbers = [7, 8, uint.MaxValue],
            Clamped = 3,
            Bounded = 4,
            Masked = 0x0F,
        };
        sample.Waiting.Enqueue(5);
        sample.Child.Value = 6;
        return sample;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("flag", ref Flag);
        visitor.Value("small", ref Small);
        visitor.Value("medium", ref Medium);
        visitor.Value("large", ref Large);
        visitor.Value("largest", ref Largest);
        visitor.Value("number", ref Number);
        visitor.Value("big", ref Big);
        visitor.Text("text", ref Text, 16);
        visitor.Bytes("any", ref Any, 8);
        visitor.Array("numbers", Numbers.AsSpan());
        visitor.Queue("waiting", Waiting, 4);
        visitor.Clamped("clamped", ref Clamped, 0, 10);
        visitor.Value("bounded", ref Bounded, 0, 10);
        visitor.Value("masked", ref Masked, 0x0F);
        visitor.Part("child", Child, version: 2);
    }

    internal sealed class Inner : IStateful
    {
        public int Value;

        [NotState("Seen by the test.")]
        public bool WasAbsent { get; private set; }

        [NotState("Seen by the test.")]
        public int SavedVersion { get; private set; }

        public void Describe(StateVisitor visitor)
        {
            visitor.Value("value", ref Value);
            WasAbsent = visitor.IsAbsent;
            SavedVersion = visitor.Version;
        }
    }
}
