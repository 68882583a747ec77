using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>What an instruction does to the status flags.</summary>
internal enum FlagEffect : byte
{
    None,

    /// <summary>Some stay as they were.</summary>
    Partial,

    /// <summary>All six follow from the instruction alone.</summary>
    Full,

    /// <summary>The interpreter executes it: flags are in the state before and after.</summary>
    Settled,
}

/// <summary>One instruction of the block being translated.</summary>
internal struct Item
{
    public Instruction Instruction;
    public CodeDescriptor Descriptor;
    public Family Family;
    public FlagEffect Effect;
    public int Offset;
    public int Length;

    /// <summary>Bytes of the memory operand; 0: none.</summary>
    public int MemorySize;

    /// <summary>The memory operand is written (or must be writable).</summary>
    public bool StoresMemory;

    /// <summary>Flags as of after this instruction may have to be told to somebody: an exit, the next block.</summary>
    public bool NeedAfter;

    /// <summary>Flags as of after this instruction that emitted code reads later in the block.</summary>
    public uint LiveAfter;

    /// <summary>The same before it.</summary>
    public uint LiveBefore;

    public readonly bool Wants => NeedAfter || LiveAfter != 0;

    public readonly bool HasMemory => MemorySize != 0;

    /// <summary>Operand size in bytes of an integer instruction: that of its first operand.</summary>
    public readonly int Width => Instruction.Op0Kind == OpKind.Register ? Instruction.Op0Register.GetSize() : Instruction.MemorySize.GetSize();

    public readonly int End => Offset + Length;
}
