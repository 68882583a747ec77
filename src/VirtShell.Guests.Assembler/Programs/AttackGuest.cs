using System;
using System.Buffers.Binary;
using VirtShell.Guests.Assembler.Attacks;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Programs;

/// <summary>
/// A hostile guest: the word <c>attack=NAME</c>, anywhere on the command line, says what it does to its machine. Without
/// one it prints the names of all attacks.
/// </summary>
internal sealed class AttackGuest : IGuestProgram
{
    private const int InfoHasCommandLine = 4;
    private const int InfoCommandLine = 16;
    private const int EntrySize = 8;
    private const int UnknownAttack = 1;

    public string Name => "attack";

    public string Description => "Attacks its machine as the command line says (attack=NAME); without a name it lists them.";

    public void Emit(GuestCode code)
    {
        var attack = new AttackCode(code);
        var attacks = AttackList.All;
        var spots = new Spot[attacks.Count];
        var entries = new byte[(attacks.Count * EntrySize) + EntrySize];
        for (var i = 0; i < spots.Length; i++)
        {
            spots[i] = code.NewSpot();
            var entry = entries.AsSpan(i * EntrySize);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, code.Text(attacks[i].Name));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], code.AddressOf(spots[i]));
        }

        var table = code.Data(entries);
        code.Begin();
        EmitChoice(code, attack, table);
        for (var i = 0; i < spots.Length; i++)
        {
            code.Place(spots[i]);
            attacks[i].Emit(attack);
        }

        attack.EmitShared();
    }

    private static void EmitChoice(GuestCode code, AttackCode attack, Spot table)
    {
        var c = code.Asm;
        var list = code.NewSpot();
        var found = code.NewSpot();
        var entry = code.NewSpot();
        var other = code.NewSpot();
        var chosen = code.NewSpot();
        var unknown = code.NewSpot();
        c.mov(ebx, __dword_ptr[Layout.BootInfo]);
        c.test(__byte_ptr[ebx], InfoHasCommandLine);
        c.je(list.Label);
        c.mov(esi, __dword_ptr[ebx + InfoCommandLine]);
        c.dec(esi);
        var search = code.Here();
        var next = code.NewSpot();
        c.inc(esi);
        c.cmp(__byte_ptr[esi], 0);
        c.je(list.Label);
        c.cmp(__dword_ptr[esi], BinaryPrimitives.ReadInt32LittleEndian("atta"u8));
        c.jne(next.Label);
        c.cmp(__dword_ptr[esi + 3], BinaryPrimitives.ReadInt32LittleEndian("ack="u8));
        c.je(found.Label);
        code.Place(next);
        c.jmp(search.Label);

        // EDI walks over the table; a word ends with the command line or at a blank.
        code.Place(found);
        c.add(esi, "attack=".Length);
        c.mov(edi, code.AddressOf(table));
        code.Place(entry);
        c.mov(ebx, __dword_ptr[edi]);
        c.test(ebx, ebx);
        c.je(unknown.Label);
        c.xor(ecx, ecx);
        var compare = code.Here();
        var ended = code.NewSpot();
        c.mov(al, __byte_ptr[ebx + ecx]);
        c.mov(dl, __byte_ptr[esi + ecx]);
        c.test(al, al);
        c.je(ended.Label);
        c.cmp(al, dl);
        c.jne(other.Label);
        c.inc(ecx);
        c.jmp(compare.Label);
        code.Place(ended);
        c.test(dl, dl);
        c.je(chosen.Label);
        c.cmp(dl, (sbyte)' ');
        c.je(chosen.Label);
        code.Place(other);
        c.add(edi, EntrySize);
        c.jmp(entry.Label);

        code.Place(chosen);
        c.push(__dword_ptr[edi + 4]);
        c.push(ebx);
        code.Print("attack ");
        c.pop(esi);
        code.Call(Routine.PutString);
        code.Print("\r\n");
        attack.Prepare();
        c.ret();

        code.Place(unknown);
        code.Print("unknown attack (without attack=NAME this guest lists all)\r\n");
        code.Out(Hardware.DebugExit, UnknownAttack);
        c.hlt();

        code.Place(list);
        c.mov(ebp, code.AddressOf(table));
        var name = code.Here();
        var end = code.NewSpot();
        c.mov(esi, __dword_ptr[ebp]);
        c.test(esi, esi);
        c.je(end.Label);
        code.Call(Routine.PutString);
        code.Print("\r\n");
        c.add(ebp, EntrySize);
        c.jmp(name.Label);
        code.Place(end);
        code.PowerOff();
    }
}
