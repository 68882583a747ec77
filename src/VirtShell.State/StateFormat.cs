namespace VirtShell.State;

/// <summary>
/// How state lies in a stream, little-endian. "VSS2", then records up to an end record. A record is {kind u8}, and but for an end
/// {name-length u8, name UTF-8}; a value goes on with {length i64, bytes}, a section with {version i32, records, end}. Nothing has to
/// be known before it is written, so that no stream has to be seekable. In "VSS1" there is no end record: a section is
/// {length i64, version i32, records}, and the state ends with its stream.
/// </summary>
internal static class StateFormat
{
    public const uint Magic = 0x32535356;
    public const uint FirstMagic = 0x31535356;
    public const byte End = 0;
    public const byte Section = 1;
    public const byte Value = 2;
    public const int LongestName = 255;
    public const int DeepestNesting = 32;
}
