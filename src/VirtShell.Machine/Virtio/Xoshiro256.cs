using System;
using System.Buffers.Binary;
using System.Numerics;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// The xoshiro256** generator (Blackman and Vigna, 2018), seeded by SplitMix64: the same seed gives the same bytes on every
/// host. Not for secrets.
/// </summary>
internal sealed class Xoshiro256 : IStateful
{
    private readonly ulong[] _state = new ulong[4];

    public Xoshiro256(ulong seed) => Seed(seed);

    public void Seed(ulong seed)
    {
        for (int i = 0; i < _state.Length; i++)
        {
            seed += 0x9E3779B97F4A7C15;
            ulong mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            _state[i] = mixed ^ (mixed >> 31);
        }
    }

    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_state[1] * 5, 7) * 9;
        ulong shifted = _state[1] << 17;
        _state[2] ^= _state[0];
        _state[3] ^= _state[1];
        _state[1] ^= _state[2];
        _state[0] ^= _state[3];
        _state[2] ^= shifted;
        _state[3] = BitOperations.RotateLeft(_state[3], 45);
        return result;
    }

    public void Fill(Span<byte> destination)
    {
        Span<byte> word = stackalloc byte[8];
        while (destination.Length > 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, Next());
            int part = Math.Min(8, destination.Length);
            word[..part].CopyTo(destination);
            destination = destination[part..];
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        for (int i = 0; i < _state.Length; i++)
        {
            visitor.Value($"s{i}", ref _state[i]);
        }

        if (visitor.IsLoading && !_state.AsSpan().ContainsAnyExcept(0UL))
        {
            throw visitor.Damaged($"'{visitor.Path}' is all zeros, which the generator never leaves.");
        }
    }
}
