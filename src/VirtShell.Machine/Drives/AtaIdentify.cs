using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Drives;

/// <summary>What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE answer (ATA/ATAPI-6, 8.15 and 8.16): 256 words.</summary>
internal static class AtaIdentify
{
    /// <summary>Version of the drives' firmware, as guests see it.</summary>
    public const string Firmware = "1.0";

    private const int SerialWord = 10;
    private const int SerialLength = 20;
    private const int FirmwareWord = 23;
    private const int FirmwareLength = 8;
    private const int ModelWord = 27;
    private const int ModelLength = 40;
    private const int LastWord = 255;
    private const byte IntegritySignature = 0xA5;

    // Words 82 to 84 and what of it is on, 85 to 87.
    private const ushort PowerManagement = 1 << 3;
    private const ushort WriteCache = 1 << 5;
    private const ushort ReadAhead = 1 << 6;
    private const ushort DeviceReset = 1 << 9;
    private const ushort WriteBuffer = 1 << 12;
    private const ushort ReadBuffer = 1 << 13;
    private const ushort PacketCommands = 1 << 4;
    private const ushort Lba48 = 1 << 10;
    private const ushort Flush = 1 << 12;
    private const ushort FlushExt = 1 << 13;
    private const ushort WordIsValid = 1 << 14;
    private const ushort WriteFua = 1 << 6;

    public static void Disk(Span<byte> answer, AtaDisk disk)
    {
        Words words = new(answer);
        (AtaGeometry standard, AtaGeometry current) = (disk.DefaultGeometry, disk.Geometry);
        words[0] = 0x0040;
        words[1] = (ushort)standard.Cylinders;
        words[3] = (ushort)standard.Heads;
        words[6] = (ushort)standard.SectorsPerTrack;
        words.Text(SerialWord, SerialLength, disk.Drive.Serial);
        words.Text(FirmwareWord, FirmwareLength, Firmware);
        words.Text(ModelWord, ModelLength, "VirtShell disk");
        words[47] = 0x8000 | AtaDisk.MostMultiple;
        words[48] = 1;
        words[49] = 0x0F00;
        words[50] = WordIsValid;
        words[51] = 0x0200;
        words[53] = 0x0007;
        words[54] = (ushort)current.Cylinders;
        words[55] = (ushort)current.Heads;
        words[56] = (ushort)current.SectorsPerTrack;
        words.Long(57, (ulong)Math.Min(current.Sectors, uint.MaxValue), 2);
        words[59] = (ushort)(disk.Multiple == 0 ? 0 : 0x0100 | disk.Multiple);
        words.Long(60, (ulong)Math.Min(disk.Capacity, AtaDisk.MostLba28), 2);
        words.TransferModes(disk.TransferMode);
        words[80] = 0x007E;
        words[82] = PowerManagement | WriteCache | ReadAhead | WriteBuffer | ReadBuffer;
        words[83] = WordIsValid | Lba48 | Flush | FlushExt;
        words[84] = WordIsValid | WriteFua;
        words[85] = (ushort)(PowerManagement | WriteBuffer | ReadBuffer | (disk.HasWriteCache ? WriteCache : 0) | (disk.HasReadAhead ? ReadAhead : 0));
        words[86] = Lba48 | Flush | FlushExt;
        words[87] = WordIsValid | WriteFua;
        words[93] = (ushort)(WordIsValid | 0x2000 | (disk.Drive.Number % IdeChannel.DeviceCount == 0 ? 0x0009 : 0x0B00));
        words.Long(100, (ulong)disk.Capacity, 4);
        words.Seal();
    }

    public static void Cd(Span<byte> answer, Drive drive, byte transferMode)
    {
        // A removable CD drive that takes packets of 12 bytes and asks for them within 50 microseconds.
        Words words = new(answer);
        words[0] = 0x85C0;
        words.Text(SerialWord, SerialLength, drive.Serial);
        words.Text(FirmwareWord, FirmwareLength, Firmware);
        words.Text(ModelWord, ModelLength, "VirtShell CD");
        words[49] = 0x0F00;
        words[50] = WordIsValid;
        words[51] = 0x0200;
        words[53] = 0x0006;
        words.TransferModes(transferMode);
        words[80] = 0x007E;
        words[82] = PowerManagement | PacketCommands | DeviceReset;
        words[83] = WordIsValid;
        words[84] = WordIsValid;
        words[85] = PowerManagement | PacketCommands | DeviceReset;
        words[87] = WordIsValid;
        words[93] = (ushort)(WordIsValid | 0x2000 | (drive.Number % IdeChannel.DeviceCount == 0 ? 0x0009 : 0x0B00));
        words.Seal();
    }

    private readonly ref struct Words
    {
        private readonly Span<byte> _bytes;

        public Words(Span<byte> bytes)
        {
            _bytes = bytes;
            bytes.Clear();
        }

        public ushort this[int word]
        {
            set => BinaryPrimitives.WriteUInt16LittleEndian(_bytes[(2 * word)..], value);
        }

        public void Long(int word, ulong value, int count)
        {
            for (int i = 0; i < count; i++)
            {
                this[word + i] = (ushort)(value >> (16 * i));
            }
        }

        // ASCII, padded with blanks, the first character of a word in its high byte.
        public void Text(int word, int length, string text)
        {
            Span<byte> field = _bytes.Slice(2 * word, length);
            field.Fill((byte)' ');
            for (int i = 0; i < Math.Min(length, text.Length); i++)
            {
                field[i ^ 1] = text[i] is >= ' ' and <= '~' ? (byte)text[i] : (byte)'?';
            }
        }

        // Multiword DMA 0 to 2, PIO 3 and 4 at 120 ns, Ultra DMA 0 to 5, and which of them is chosen.
        public void TransferModes(byte chosen)
        {
            ushort selected = (ushort)(1 << (8 + (chosen & 7)));
            bool isUltra = (chosen & 0x40) != 0;
            this[63] = (ushort)(0x0007 | (isUltra ? 0 : selected));
            this[64] = 0x0003;
            Long(65, 0x0078_0078_0078_0078, 4);
            this[88] = (ushort)(0x003F | (isUltra ? selected : 0));
        }

        // The sum of all bytes is 0.
        public void Seal()
        {
            byte sum = IntegritySignature;
            _bytes[2 * LastWord] = IntegritySignature;
            foreach (byte value in _bytes[..(2 * LastWord)])
            {
                sum += value;
            }

            _bytes[(2 * LastWord) + 1] = (byte)-sum;
        }
    }
}
