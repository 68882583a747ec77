using System;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>
/// One 8259A programmable interrupt controller (Intel datasheet 231468), with the edge/level control register that the
/// PIIX puts beside it. The pair and its ports are <see cref="Pic8259Pair"/>.
/// </summary>
internal sealed class Pic8259 : IStateful
{
    // ICW1, ICW4, OCW2 and OCW3 bits.
    private const byte Icw1Ic4 = 0x01;
    private const byte Icw1Single = 0x02;
    private const byte Icw1Init = 0x10;
    private const byte Icw4AutoEoi = 0x02;
    private const byte Icw4SpecialFullyNested = 0x10;
    private const byte Ocw3Select = 0x08;
    private const byte Ocw3ReadRegister = 0x02;
    private const byte Ocw3ReadIsr = 0x01;
    private const byte Ocw3Poll = 0x04;
    private const byte Ocw3EnableSpecialMask = 0x40;
    private const byte Ocw3SpecialMask = 0x20;

    // Fixed configuration.
    private readonly byte _cascadeMask;
    private readonly byte _elcrWritable;

    // Saved state.
    private byte _lines;
    private byte _irr;
    private byte _isr;
    private byte _imr;
    private byte _elcr;
    private byte _vectorBase;
    private byte _icw3;
    private byte _firstPriority;
    private byte _expectedIcw;
    private bool _needsIcw4;
    private bool _single;
    private bool _autoEoi;
    private bool _rotateOnAutoEoi;
    private bool _specialMask;
    private bool _specialFullyNested;
    private bool _readIsr;
    private bool _poll;

    /// <param name="cascadeMask">The input that a slave drives, as a bit; 0 for a slave.</param>
    /// <param name="elcrWritable">Which inputs may be made level-triggered.</param>
    public Pic8259(byte cascadeMask, byte elcrWritable)
    {
        _cascadeMask = cascadeMask;
        _elcrWritable = elcrWritable;
    }

    public byte EdgeLevelControl
    {
        get => _elcr;
        set
        {
            _elcr = (byte)(value & _elcrWritable);
            _irr = (byte)((_irr & ~_elcr) | (_lines & _elcr));
        }
    }

    /// <summary>Whether the INT output is asserted.</summary>
    public bool IsRequesting => HighestRequest() >= 0;

    public void Reset()
    {
        _lines = _irr = _isr = _imr = _elcr = _vectorBase = _icw3 = _firstPriority = _expectedIcw = 0;
        _needsIcw4 = _single = _autoEoi = _rotateOnAutoEoi = _specialMask = _specialFullyNested = _readIsr = _poll = false;
    }

    public void SetLine(int input, bool high)
    {
        byte bit = (byte)(1 << input);
        if (high)
        {
            if ((_lines & bit) == 0 || (_elcr & bit) != 0)
            {
                _irr |= bit;
            }

            _lines |= bit;
        }
        else
        {
            // A request that goes away before it is acknowledged is forgotten, in either mode (datasheet, "Interrupt Request Register").
            _lines &= (byte)~bit;
            _irr &= (byte)~bit;
        }
    }

    /// <summary>The INTA cycle: gives the input accepted, or -1 where none requests (the controller then answers with input 7).</summary>
    public int Acknowledge()
    {
        int input = HighestRequest();
        if (input < 0)
        {
            return -1;
        }

        byte bit = (byte)(1 << input);
        if ((_elcr & bit) == 0)
        {
            _irr &= (byte)~bit;
        }

        if (!_autoEoi)
        {
            _isr |= bit;
        }
        else if (_rotateOnAutoEoi)
        {
            _firstPriority = (byte)((input + 1) & 7);
        }

        return input;
    }

    public byte VectorOf(int input) => (byte)(_vectorBase | (input & 7));

    public byte Read(bool dataPort)
    {
        if (_poll)
        {
            _poll = false;
            int input = Acknowledge();
            return input < 0 ? (byte)0 : (byte)(0x80 | input);
        }

        return dataPort ? _imr : _readIsr ? _isr : _irr;
    }

    public void Write(bool dataPort, byte value)
    {
        if (dataPort)
        {
            WriteData(value);
        }
        else if ((value & Icw1Init) != 0)
        {
            Initialize(value);
        }
        else if ((value & Ocw3Select) != 0)
        {
            WriteOcw3(value);
        }
        else
        {
            WriteOcw2(value);
        }
    }

    public void Describe(StateVisitor visitor)
    {
        byte[] registers = [_lines, _irr, _isr, _imr, _elcr, _vectorBase, _icw3, _firstPriority, _expectedIcw];
        visitor.Array("registers", registers.AsSpan());
        (_lines, _irr, _isr, _imr, _elcr) = (registers[0], registers[1], registers[2], registers[3], registers[4]);
        (_vectorBase, _icw3, _firstPriority, _expectedIcw) = (registers[5], registers[6], (byte)(registers[7] & 7), registers[8]);
        visitor.Value("needs-icw4", ref _needsIcw4);
        visitor.Value("single", ref _single);
        visitor.Value("auto-eoi", ref _autoEoi);
        visitor.Value("rotate-on-auto-eoi", ref _rotateOnAutoEoi);
        visitor.Value("special-mask", ref _specialMask);
        visitor.Value("special-fully-nested", ref _specialFullyNested);
        visitor.Value("read-isr", ref _readIsr);
        visitor.Value("poll", ref _poll);
    }

    private void Initialize(byte icw1)
    {
        // LTIM (bit 3) has no effect beside an edge/level control register.
        _imr = _isr = 0;
        _irr = (byte)(_lines & _elcr);
        _firstPriority = 0;
        _specialMask = _readIsr = _poll = _autoEoi = _rotateOnAutoEoi = _specialFullyNested = false;
        _needsIcw4 = (icw1 & Icw1Ic4) != 0;
        _single = (icw1 & Icw1Single) != 0;
        _expectedIcw = 2;
    }

    private void WriteData(byte value)
    {
        switch (_expectedIcw)
        {
            case 2:
                _vectorBase = (byte)(value & 0xF8);
                _expectedIcw = _single ? (byte)(_needsIcw4 ? 4 : 0) : (byte)3;
                break;
            case 3:
                _icw3 = value;
                _expectedIcw = (byte)(_needsIcw4 ? 4 : 0);
                break;
            case 4:
                _autoEoi = (value & Icw4AutoEoi) != 0;
                _specialFullyNested = (value & Icw4SpecialFullyNested) != 0;
                _expectedIcw = 0;
                break;
            default:
                _imr = value;
                break;
        }
    }

    private void WriteOcw3(byte value)
    {
        if ((value & Ocw3EnableSpecialMask) != 0)
        {
            _specialMask = (value & Ocw3SpecialMask) != 0;
        }

        _poll = (value & Ocw3Poll) != 0;
        if (!_poll && (value & Ocw3ReadRegister) != 0)
        {
            _readIsr = (value & Ocw3ReadIsr) != 0;
        }
    }

    // OCW2 bits 7:5 are R, SL and EOI; bits 2:0 name an input where SL is set.
    private void WriteOcw2(byte value)
    {
        int named = value & 7;
        switch (value >> 5)
        {
            case 0b000:
                _rotateOnAutoEoi = false;
                break;
            case 0b001:
                EndOfInterrupt(HighestInService());
                break;
            case 0b011:
                EndOfInterrupt(named);
                break;
            case 0b100:
                _rotateOnAutoEoi = true;
                break;
            case 0b101:
                int ended = HighestInService();
                if (ended >= 0)
                {
                    EndOfInterrupt(ended);
                    _firstPriority = (byte)((ended + 1) & 7);
                }

                break;
            case 0b110:
                _firstPriority = (byte)((named + 1) & 7);
                break;
            case 0b111:
                EndOfInterrupt(named);
                _firstPriority = (byte)((named + 1) & 7);
                break;
            default:
                break;
        }
    }

    private void EndOfInterrupt(int input)
    {
        if (input >= 0)
        {
            _isr &= (byte)~(1 << input);
        }
    }

    // In special mask mode a masked in-service input blocks nothing and is not ended by a non-specific EOI.
    private int HighestInService()
    {
        int inService = _specialMask ? _isr & ~_imr : _isr;
        for (int i = 0; i < 8; i++)
        {
            int input = (i + _firstPriority) & 7;
            if ((inService & (1 << input)) != 0)
            {
                return input;
            }
        }

        return -1;
    }

    private int HighestRequest()
    {
        int requests = _irr & ~_imr;
        if (requests == 0 || _expectedIcw != 0)
        {
            return -1;
        }

        int inService = _specialMask ? _isr & ~_imr : _isr;
        if (_specialFullyNested)
        {
            // The slave may interrupt again for a higher input of its own.
            inService &= ~_cascadeMask;
        }

        for (int i = 0; i < 8; i++)
        {
            int bit = 1 << ((i + _firstPriority) & 7);
            if ((inService & bit) != 0)
            {
                return -1;
            }

            if ((requests & bit) != 0)
            {
                return (i + _firstPriority) & 7;
            }
        }

        return -1;
    }
}
