using VirtShell.Cpu;

namespace VirtShell.Machine.Bios;

/// <summary>What the ROM's calls reach.</summary>
internal sealed class BiosServices
{
    private readonly BiosCpu _c;
    private readonly BiosBootstrap _bootstrap;
    private readonly BiosDisk _disk;
    private readonly BiosKeyboard _keyboard;
    private readonly BiosSystem _system;
    private readonly BiosMouse _mouse;
    private readonly BiosTime _time;
    private readonly BiosPci _pci;
    private readonly BiosPorts _ports;

    public BiosServices(BiosCpu cpu, BiosDrives drives, BiosRom rom)
    {
        _c = cpu;
        BiosTerminal terminal = new(cpu);
        Video = new BiosVideo(cpu, terminal);
        _disk = new BiosDisk(cpu, drives);
        _keyboard = new BiosKeyboard(cpu, terminal);
        _mouse = new BiosMouse(cpu);
        BiosWait wait = new(cpu);
        _system = new BiosSystem(cpu, _mouse, wait);
        _pci = new BiosPci(cpu);
        _time = new BiosTime(cpu, _pci, wait);
        _ports = new BiosPorts(cpu, wait);
        _bootstrap = new BiosBootstrap(cpu, drives, _disk, Video, rom);
    }

    public BiosVideo Video { get; }

    public FirmwareReturn Call(BiosService service)
    {
        Charge(service);
        switch (service)
        {
            case BiosService.Post:
                _bootstrap.Enter();
                break;
            case BiosService.OptionRom:
                _bootstrap.CheckOptionRom();
                break;
            case BiosService.Boot:
                _bootstrap.Boot(first: true);
                break;
            case BiosService.BootNext:
                _bootstrap.Boot(first: false);
                break;
            case BiosService.Video:
                Video.Call();
                break;
            case BiosService.Equipment:
                _c.Ax = _c.DataWord(Bda.Equipment);
                break;
            case BiosService.BaseMemory:
                _c.Ax = _c.DataWord(Bda.BaseMemory);
                break;
            case BiosService.Disk:
                _disk.Call();
                break;
            case BiosService.Serial:
                return Wait(_ports.CallSerial());
            case BiosService.Printer:
                _ports.CallPrinter();
                break;
            case BiosService.PrintScreen:
                _c.SetData(Bda.PrintScreen, 0xFF);
                break;
            case BiosService.System:
                return Wait(_system.Call());
            case BiosService.Keyboard:
                return Wait(_keyboard.Call());
            case BiosService.Time:
                _time.Call();
                break;
            case BiosService.Tick:
                _time.Tick();
                break;
            case BiosService.ClockEvent:
                _time.ClockEvent();
                break;
            case BiosService.Key:
                _keyboard.ScanCode();
                break;
            case BiosService.MouseByte:
                _mouse.Byte();
                break;
            case BiosService.Directory32:
                _pci.Directory();
                break;
            case BiosService.Pci32:
                _pci.Call32();
                break;
            default:
                return FirmwareReturn.None;
        }

        return FirmwareReturn.Done;
    }

    // Where HLT may be refused the call comes again at once.
    private FirmwareReturn Wait(bool isDone) => isDone ? FirmwareReturn.Done : _c.Processor.IsRestricted ? FirmwareReturn.Again : FirmwareReturn.Skip;

    // What a service takes on a PC, about: a program that waits by asking again and again has waited after as many calls.
    private void Charge(BiosService service)
    {
        const long Usual = 2_000;
        const long Asking = 250_000;
        if (_c.Board.Configuration.Clock == ClockMode.Virtual)
        {
            bool asks = service == BiosService.Keyboard && _c.Ah is 0x01 or 0x11 && _c.DataWord(Bda.KeyHead) == _c.DataWord(Bda.KeyTail);
            _c.Board.Clock.StallInstruction(asks ? Asking : Usual);
        }
    }
}
