package vmcoreinfo

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// sample has the forms of lines that kernels write, in their order.
const sample = `OSRELEASE=6.1.0-50-amd64
BUILD-ID=06f8bde30046985060c60820f7a11515a33afb06
PAGESIZE=4096
SYMBOL(init_uts_ns)=ffffffffadffb100
OFFSET(uts_namespace.name)=0
SYMBOL(swapper_pg_dir)=ffffffffade10000
SYMBOL(_stext)=ffffffffac400000
SYMBOL(mem_section)=ff318096 
LENGTH(mem_section)=262144
SIZE(page)=64
SIZE(zone)=1536
OFFSET(page.flags)=0
OFFSET(page.lru)=8
OFFSET(zone.free_area)=256
LENGTH(zone.free_area)=11
NUMBER(NR_FREE_PAGES)=0
NUMBER(PG_lru)=4
NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
NUMBER(phys_base)=-352321536
NUMBER(VMALLOC_START)=0xffa0000000000000
NUMBER(pgtable_l5_enabled)=1
KERNELOFFSET=2b400000
FUTURE(thing)=x=y
CRASHTIME=1795466477
`

func TestParse(t *testing.T) {
	v, err := Parse([]byte(sample + "\x00garbage"))
	if err != nil || len(v.Problems) != 0 {
		t.Fatal(err, v)
	}
	if v.OSRelease != "6.1.0-50-amd64" || v.PageSize != 4096 || len(v.BuildID) != 40 {
		t.Errorf("release %q, page size %d, build ID %q", v.OSRelease, v.PageSize, v.BuildID)
	}
	if !v.HasKASLR || v.KASLROffset != 0x2b400000 {
		t.Errorf("KASLR %v %#x", v.HasKASLR, v.KASLROffset)
	}
	if want := time.Date(2026, 11, 23, 20, 41, 17, 0, time.UTC); !v.CrashTime.Equal(want) {
		t.Errorf("crash time %v, want %v", v.CrashTime, want)
	}
	if a, ok := v.Symbol("_stext"); !ok || a != 0xffffffffac400000 {
		t.Errorf("_stext %v %v", a, ok)
	}
	if n, ok := v.Size("zone"); !ok || n != 1536 {
		t.Errorf("SIZE(zone) %d %v", n, ok)
	}
	if n, ok := v.Offset("page.lru"); !ok || n != 8 {
		t.Errorf("OFFSET(page.lru) %d %v", n, ok)
	}
	if n, ok := v.Length("mem_section"); !ok || n != 262144 {
		t.Errorf("LENGTH(mem_section) %d %v", n, ok)
	}
	if n, ok := v.Number("phys_base"); !ok || n != -352321536 {
		t.Errorf("phys_base %d %v", n, ok)
	}
	if n, ok := v.Number("VMALLOC_START"); !ok || uint64(n) != 0xffa0000000000000 {
		t.Errorf("VMALLOC_START %#x %v", uint64(n), ok)
	}
	if s, ok := v.Value("FUTURE(thing)"); !ok || s != "x=y" {
		t.Errorf("unknown key %q %v", s, ok)
	}
	if _, ok := v.Symbol("page"); ok {
		t.Error("SIZE(page) answers for SYMBOL(page)")
	}
	var keys int
	for k := range v.All() {
		if keys == 0 && k != "OSRELEASE" {
			t.Errorf("first key is %s", k)
		}
		keys++
	}
	if keys != v.Len() || keys != strings.Count(sample, "\n") {
		t.Errorf("%d keys of %d", keys, v.Len())
	}
}

func TestParseReportsBadLines(t *testing.T) {
	v, err := Parse([]byte("OSRELEASE=5.10\nBUILD-ID=(null)\nPAGESIZE=5000\nSIZE(page)=big\nno value\n=x\nSIZE(zone)=1\nSIZE(zone)=2\nKERNELOFFSET="))
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Problems) != 7 {
		t.Errorf("problems: %q", v.Problems)
	}
	if _, ok := v.Size("page"); ok {
		t.Error("a bad number has a value")
	}
	if n, _ := v.Size("zone"); n != 1 {
		t.Errorf("a repeated key gives %d, not the first", n)
	}
	if v.HasKASLR || v.PageSize != 0 || v.BuildID != "" || !v.CrashTime.IsZero() {
		t.Errorf("bad lines gave values: %+v", v)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "PAGESIZE=4096\n", "OSRELEASE=%s\nPAGESIZE=%ld\n", "OSRELEASE=\n", "OSRELEASE=6\x01\n", "OSRELEASE=6" + strings.Repeat("1", 64)} {
		if v, err := Parse([]byte(text)); v != nil || !errors.Is(err, ErrNotVMCOREINFO) {
			t.Errorf("%q: %v, %v", text, v, err)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	text := "OSRELEASE=6\n" + strings.Repeat("x\n", MaxText)
	v, err := Parse([]byte(text))
	if err != nil || len(v.Text()) > MaxText || len(v.Problems) > maxProblems {
		t.Fatalf("%d bytes, %d problems, %v", len(v.Text()), len(v.Problems), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("OSRELEASE=%s\n"))
	f.Add([]byte("OSRELEASE=5.4\nNUMBER(a)=-1\nNUMBER(b)=0x\nSYMBOL()="))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse(b)
		if (v == nil) == (err == nil) {
			t.Fatalf("info %v and error %v", v, err)
		}
		if err != nil && !errors.Is(err, ErrNotVMCOREINFO) {
			t.Fatalf("%v is not ErrNotVMCOREINFO", err)
		}
		if v != nil && (len(v.Problems) > maxProblems || v.Len() > maxEntries) {
			t.Fatal("unbounded")
		}
	})
}
