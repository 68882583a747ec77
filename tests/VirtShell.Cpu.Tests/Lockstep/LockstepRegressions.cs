namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>
/// What the engines once differed on, one row each, as the report of a difference prints them. The first rows are none:
/// they hold what a translator is likely to get wrong.
/// </summary>
internal static class LockstepRegressions
{
    public static LockstepRegression[] Rows { get; } =
    [
        new("carry through INC", GuestMode.LongUser, "F9FFC013D8FFC91BD9", 0x202, 0x1F80, "7FFFFFFF,1,0,FFFFFFFF"),
        new("shift by zero keeps flags", GuestMode.LongUser, "31C94801C0D3E80F92C3480FA4C800D3C8", 0x202, 0x1F80, "8000000000000001,0"),
        new("high bytes", GuestMode.Flat32, "00E488F7F6E580EC7F0FB6CC", 0x202, 0x1F80, "1234,5678,9ABC,DEF0"),
        new("32-bit results clear the upper half", GuestMode.LongUser, "89C08D040089D20FC889D887CB0FB7C1", 0x202, 0x1F80, "FFFFFFFF80000000,FFFFFFFF12345678,FFFFFFFFFFFFFFFF,FFFFFFFF00000001"),
        new("division that overflows", GuestMode.LongUser, "31D2F7F3F7FB99F7FB", 0x202, 0x1F80, "80000000,0,0,FFFFFFFF"),
        new("bit test with a register index", GuestMode.Flat32, "0FA31D001003000FAB0D00100300", 0x202, 0x1F80, "0,FFFFFFE1,0,7FFF"),
        new("rotate through carry", GuestMode.LongUser, "F948D1D048C1D821D2D8F8C0D007", 0x202, 0x1F80, "8000000000000001,5,3"),
        new("compare, move in between, then branch", GuestMode.LongUser, "39D889C8BA0500000072040F94C20F4CC3", 0x202, 0x1F80, "80000000,7,0,7FFFFFFF"),
        new("exchange with itself locked", GuestMode.Flat32, "F00FC11D00100300F00FB10D00100300", 0x202, 0x1F80, "5,6,7,8"),
        new("POPF and PUSHF", GuestMode.Flat32, "9C58350100000050F59D9C59", 0x202, 0x1F80, "0"),
        new("MXCSR of a call that faults", GuestMode.LongUser, "660F76C00F2CC0D900", 0x202, 0x1F80, "8000000000000000,0"),
        new("VEX in real mode", GuestMode.Real, "29D1C4E278F2C101D1", 0x202, 0x1F80, "5,6,7,8"),
        new("VEX in virtual-8086 mode", GuestMode.Virtual8086, "29D1C4E278F2C101D1", 0x202, 0x1F80, "5,6,7,8"),
        new("carry of an 8-bit IMUL through a TLB check", GuestMode.Segmented32, "F8F6E8F066FF45AF0F97C1", 0x10207, 0x1900, "164BFF72,1,3F01,9187,FF00,DEE0,8C7B,2A38"),
        new("a window across pages", GuestMode.LongUser, "488B034803430848894310488B4BF80F10030F284B080F1143204883C308488B53104883EB08", 0x202, 0x1F80, "0,0,0,30FF8"),
        new("a window across pages, lower down", GuestMode.LongUser, "488B034803430848894310488B4BF80F10030F284B080F1143204883C308488B53104883EB08", 0x202, 0x1F80, "0,0,0,30FE4"),
        new("a window that may be read and not written", GuestMode.LongUser, "488B470848894710488B0F48894FF8", 0x202, 0x1F80, "0,0,0,0,5FF00,0,0,420008"),
        new("a window that reaches into a page that is not there", GuestMode.LongUser, "488B470848894710488B0F48894FF8", 0x202, 0x1F80, "0,0,0,0,5FF00,0,0,46FFF8"),
        new("pushes and pops across pages", GuestMode.LongUser, "5051FF742408488B14245E5F41584883EC2031C048895424084883C42031C94C8D4C24F8E8000000004889E05A", 0x202, 0x1F80, "1,2,3,4,51010"),
        new("pushes and pops within a page", GuestMode.LongUser, "5051FF742408488B14245E5F41584883EC2031C048895424084883C42031C94C8D4C24F8E8000000004889E05A", 0x202, 0x1F80, "1,2,3,4,51800"),
        new("a push that faults behind pops", GuestMode.LongUser, "5859525B488D6424E8", 0x202, 0x1F80, "1,2,3,4,420100"),
        new("operands of a window that must be aligned", GuestMode.LongUser, "8B030F2843040F284B100F2853208B4B40", 0x202, 0x1F80, "0,0,0,31000"),
        new("upper halves of vector registers, zero and not", GuestMode.LongUser, "C4E27D18C80F58C80FA2C5FC110E0F58CAC5FC114E20C5F8770F58C80F31C5FC110E", 0x202, 0x1F80, "1,2,3,4,5FF00,0,31000"),
        new("negative displacements of a window in 32-bit code", GuestMode.Flat32, "8B45F88B4DFC894DF883C6F08B5604891683C6108946F050FF742404595A", 0x202, 0x1F80, "1,2,3,4,51008,31004,31010"),
        new("flags of the block before, through a shift by zero", GuestMode.LongUser, "39D8EB0048D3E09C5A48D3E3730041D3E89C5A83C115", 0x202, 0x1F80, "80000000,40,0,7FFFFFFF,0,0,0,0,5"),
        new("shift by zero over known flags", GuestMode.LongUser, "39D8D3E00F94C2D3EBD3F80F92C69C5A83C110", 0x202, 0x1F80, "80000000,40,0,7FFFFFFF"),
        new("INC over a bit test of the block before", GuestMode.LongUser, "0FBAE003EB00FFC39C5AD1C0EB00FFCB9C5A0FBAE307EB00D1C89C5A", 0x8D7, 0x1F80, "8,0,0,7FFFFFFF"),
        new("flags behind a call", GuestMode.LongUser, "39D8E8010000009090E8000000009C584883C4109C5D", 0x202, 0x1F80, "80000000,1,0,7FFFFFFF,3F000"),
        new("repeated stores within a page, at its end and of none", GuestMode.LongUser, "BF001003008D4E0DF348ABBFFB1F0300B907000000F3AA31C9F3ABB1F3BFE02F0300F366AB", 0x202, 0x1F80, "1122334455667788,0,0,0,0,0,3"),
        new("repeated copies that overlap and cross pages", GuestMode.LongUser, "BE00100300BF01100300B90D000000F3A4BE00100300BFF01F0300B904000000F348A5BE00100300BF00200300B908000000F348A5", 0x202, 0x1F80, "1"),
        new("repeated stores over many pages", GuestMode.LongUser, "BF08100300B900100000F348AB89C8BF03200300B999190000F3AA01C8BF02300300B900080000F366AB", 0x202, 0x1F80, "1122334455667788"),
        new("repeated copies over many pages", GuestMode.LongUser, "BE00100300BF08500300B900040000F348A501C8BE03100300BF00800300B900280000F3A4", 0x202, 0x1F80, "1"),
        new("repeated copy backwards", GuestMode.LongUser, "FDBE40100300BF80100300B905000000F348A5FC", 0x202, 0x1F80, "1"),
        new("bit string below and above its base", GuestMode.LongUser, "480FAB1C25001003000FA31425001003000FB30C25FC0F0300F0480FBB0425001003004C0FA30425001003009C59", 0x202, 0x1F80, "1F,FFFFFFFF80000003,FFFFFFE1,FFFFFFFFFFFFFFBF,0,0,0,0,7FFF"),
        new("time-stamp counter", GuestMode.LongUser, "0F314889C60F01F94829F039D8", 0x202, 0x1F80, "0"),
        new("all flags of shifts by more than one", GuestMode.LongUser, "48C1E8039C5AC1F8059C5B66C1E0079C5DC0E8029C5A48D1F83DAA0000009C5A", 0x202, 0x1F80, "87654321FEDCBA98"),
        new("double shifts by CL", GuestMode.LongUser, "480FADD083C10339D84D0FA5D14939C8480FADD09C5B", 0x202, 0x1F80, "87654321FEDCBA98,0,123456789ABCDEF0,5,0,0,0,0,1,2,3"),
        new("selectors to registers, of 16 bits and more", GuestMode.LongUser, "668CD866418CD98CD9498CDA664C8CDF", 0x8D7, 0x1F80, "1111111111111111,2222222222222222,0,0,0,0,0,7777777777777777,0,9999999999999999,AAAAAAAAAAAAAAAA"),
        new("segment bases, one of them not canonical", GuestMode.LongUser, "39D8F3480FAED0F3480FAEC1F3410FAED9F3490FAECA0F92C264488B142508000000F3490FAED0", 0x202, 0x1F80, "31000,0,0,0,0,0,0,0,800000000000,FFFFFFFF00031100"),
        new("selectors to memory", GuestMode.LongUser, "8C1C25001003008C0C25FE1F03008C0425FF1F03008B0425FE1F0300", 0x202, 0x1F80, "1"),
    ];
}
