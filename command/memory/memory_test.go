package memory

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

func TestParse(t *testing.T) {
	clitest.Parse(t, Commands(), []string{
		"rd jiffies", "rd -8 linux_banner 40", "rd -16 -d jiffies", "rd -32 -N ffff 4", "rd -64 -s sys_call_table 6", "rd (jiffies + 8)",
		"rd -a linux_banner", "rd -p 1000000 4", "rd jiffies -e ffffffff81001000", "rd -R jiffies 4", "rd -o 8 -x jiffies 0x10", "rd -u 7ffe0000",
		"vtop jiffies", "vtop -u 7ffe0000 401000", "vtop -k ffff888000000000", "vtop -c 1 401000", "vtop -c ffff888003a4a800 401000",
	}, map[string]string{
		"rd":              "rd: takes an address and a count",
		"rd a 1 2":        "rd: takes an address and a count",
		"rd a 0":          `rd: "0" is no count of 1 to 16777216`,
		"rd -17 a":        "rd: -17 is no size",
		"rd -d -D a":      "rd: -d and -D exclude each other",
		"rd -N a":         "rd: -N goes with -16 and -32",
		"rd -8 -s a":      "rd: symbols have 64 bits",
		"rd -p -u a":      "rd: -p and -u exclude each other",
		"rd -e b a 4":     "rd: -e goes without a count and -R",
		"rd -o x a":       `rd: "x" is no offset`,
		"rd 0x":           `rd: expression "0x": "0x" is no number of 64 bits`,
		"vtop":            "vtop: takes an address",
		"vtop -k -u 1":    "vtop: -k goes without -u and -c",
		"vtop -c init 1":  `vtop: "init" is no PID or address of a task`,
		"vtop -c 1 -k 10": "vtop: -k goes without -u and -c",
	})
}

const at = kerneltest.Base + 0x1000

func machine(t *testing.T) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Sym("banner", at)
	b.Sym("table", at+0x100)
	b.Sym("feed", kerneltest.Base+0x5000)
	b.Sym("dinner", kerneltest.Base+0x5100)
	b.Bytes(at, []byte("Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) (gcc-12)\n\x00"))
	b.U64(at+0x100, uint64(kerneltest.Base+0x5000), uint64(kerneltest.Base+0x5108), 1<<64-2, 7)
	return b
}

func answer(t *testing.T, b *kerneltest.Builder, line string) (command.Result, error) {
	t.Helper()
	k := b.Kernel()
	k.Phys = counting{}
	return clitest.Answer(t, Commands(), k, line)
}

// counting is physical memory whose bytes are their addresses.
type counting struct{}

func (counting) ReadMem(p []byte, addr mem.Phys) (int, error) {
	for i := range p {
		p[i] = byte(addr) + byte(i)
	}
	return len(p), nil
}

func TestRd(t *testing.T) {
	for name, line := range map[string]string{
		"rd":          "rd banner 3",
		"rd-8":        "rd -8 banner 20",
		"rd-16":       "rd -16 banner 10",
		"rd-32":       "rd -32 banner 5",
		"rd-d":        "rd -d table 4",
		"rd-unsigned": "rd -D table 4",
		"rd-8d":       "rd -8 -d table+10 8",
		"rd-s":        "rd -s table 4",
		"rd-x":        "rd -x banner 2",
		"rd-a":        "rd -a banner",
		"rd-a-count":  "rd -a banner 75",
		"rd-N":        "rd -N -32 banner 4",
		"rd-R":        "rd -R banner+10 2",
		"rd-e":        "rd banner -e banner+14",
		"rd-o":        "rd -o 0x100 banner",
		"rd-p":        "rd -p 1000 2",
	} {
		res, err := answer(t, machine(t), line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		clitest.Golden(t, name, res)
	}
}

func TestRdShowsWhatIsThereAndFails(t *testing.T) {
	b := machine(t)
	b.Lose(at+0x1000, mem.ErrExcluded)
	res, err := answer(t, b, "rd banner+ff0 4")
	if !errors.Is(err, mem.ErrExcluded) || res == nil {
		t.Fatalf("%v, %v", res, err)
	}
	clitest.Golden(t, "rd-lost", res)
	if res, err := answer(t, b, "rd banner+1000"); res != nil || !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("%v, %v", res, err)
	}
	for _, line := range []string{"rd banner -e banner", "rd nosuch", "rd banner -e ffffffffffffffff", "rd -32 banner 9999999"} {
		if _, err := answer(t, b, line); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
}

func TestVtopText(t *testing.T) {
	clitest.Golden(t, "vtop", &VtopResult{Walks: []Walk{
		{Virt: 0xffff888003a4a800, Phys: command.Some(render.Hex(0x3a4a800)), Root: 0x2610000, PageSize: 2 << 20,
			Flags: entryFlags(0x8000000003a001e3), Entries: []Entry{{"PGD", 0x2610888, 0x3801067}, {"PUD", 0x3801000, 0x3802067}, {"PMD", 0x38020e8, 0x8000000003a001e3}}},
		{Virt: 0x401000, Phys: command.Some(render.Hex(0x1aa81000)), Root: 0x183a0000, PageSize: 4096,
			Flags: entryFlags(0x1aa81025), Entries: []Entry{{"PTE", 0x18dfe3d8, 0x1aa81025}}},
		{Virt: 0xdead, Phys: command.Got(render.Hex(0), error(mem.Fault(mem.Virt(0xdead), mem.ErrUnmapped))), Entries: []Entry{{"PGD", 0x183a0000, 0}}},
		{Virt: 0xbeef, Phys: command.Got(render.Hex(0), error(mem.Fault(mem.Phys(0x18dfb000), mem.ErrExcluded))), Entries: []Entry{{"PGD", 0x183a0000, 0x18dfb067}}},
	}})
}

// The builder has no page tables: every walk ends at an empty root.
func TestVtop(t *testing.T) {
	res, err := answer(t, machine(t), "vtop banner ffff888000000000")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range res.(*VtopResult).Walks {
		if w.Phys.OK() || len(w.Entries) != 1 {
			t.Errorf("%+v", w)
		}
	}
}
