package kallsyms

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// moduleSymbol is an Elf64_Sym.
type moduleSymbol struct {
	name  string
	typ   byte
	shndx uint16
	value uint64
}

// where a test module's symbol types are stored
const (
	inTypetab = iota
	inSize
	inInfo
)

func buildModule(m *image, syms []moduleSymbol, types int) ModuleTables {
	t := ModuleTables{Symtab: m.label(8), Num: uint64(len(syms))}
	strtab := []byte{}
	for _, s := range syms {
		m.u32(uint32(len(strtab)))
		info, size := byte(0x12), uint64(0x40)
		switch types {
		case inSize:
			size = uint64(s.typ)
		case inInfo:
			info = s.typ
		}
		m.b = append(m.b, info, 0)
		m.b = binary.LittleEndian.AppendUint16(m.b, s.shndx)
		m.u64(s.value)
		m.u64(size)
		strtab = append(append(strtab, s.name...), 0)
	}
	t.Strtab = m.label(1)
	m.b = append(m.b, strtab...)
	if types == inTypetab {
		t.Typetab = m.label(1)
		for _, s := range syms {
			m.b = append(m.b, s.typ)
		}
	}
	return t
}

var moduleSample = []moduleSymbol{
	{"", 0, 0, 0},
	{"loop_init", 't', 1, 0xffffffffc0001000},
	{"printk", 'U', 0, 0},
	{"$x", 't', 1, 0xffffffffc0001000},
	{".LC0", 'r', 2, 0xffffffffc0002000},
	{"", 't', 1, 0xffffffffc0001010},
	{"loop_fops", 'd', 3, 0xffffffffc0003000},
}

func TestLoadModule(t *testing.T) {
	for types := inTypetab; types <= inInfo; types++ {
		m := &image{base: 0xffffffffc0008000}
		got, err := LoadModule(m, buildModule(m, moduleSample, types))
		if err != nil || got.Len() != 2 {
			t.Fatalf("types %d: %d symbols, %v", types, got.Len(), err)
		}
		if got.Name(0) != "loop_init" || got.Type(0) != 't' || got.Addr(0) != 0xffffffffc0001000 ||
			got.Name(1) != "loop_fops" || got.Type(1) != 'd' || got.Addr(1) != 0xffffffffc0003000 {
			t.Errorf("types %d: %s %c, %s %c", types, got.Name(0), got.Type(0), got.Name(1), got.Type(1))
		}
	}
}

func TestLoadModuleSaysWhatIsMissing(t *testing.T) {
	m := &image{base: 0xffffffffc0008000}
	tables := buildModule(m, moduleSample, inTypetab)
	far := tables
	far.Num = maxModuleSyms + 1
	if _, err := LoadModule(m, far); !errors.Is(err, ErrBadTables) {
		t.Error(err)
	}
	binary.LittleEndian.PutUint32(m.b[elfSymSize:], 1<<31) // loop_init
	if got, err := LoadModule(m, tables); !errors.Is(err, ErrBadTables) || got.Len() != 1 || got.Name(0) != "loop_fops" {
		t.Errorf("%d symbols, %v", got.Len(), err)
	}
	whole := m.b
	for n := range whole {
		m.b = whole[:n]
		if got, err := LoadModule(m, tables); err == nil || got == nil || got.Len() > 1 {
			t.Fatalf("cut to %d bytes: %d symbols, %v", n, got.Len(), err)
		}
	}
	if got, err := LoadModule(m, ModuleTables{}); err == nil || got.Len() != 0 {
		t.Errorf("no tables: %d symbols, %v", got.Len(), err)
	}
}

func FuzzLoadModule(f *testing.F) {
	m := &image{base: 0x1000}
	t := buildModule(m, moduleSample, inTypetab)
	f.Add(m.b, t.Num, uint32(t.Strtab-m.base), uint32(t.Typetab-m.base))
	f.Fuzz(func(t *testing.T, b []byte, num uint64, str, typ uint32) {
		m := &image{base: 0x1000, b: b}
		got, err := LoadModule(m, ModuleTables{Symtab: m.base, Num: num, Strtab: m.base + mem.Virt(str), Typetab: mem.Virt(typ)})
		var fault *mem.FaultError
		if got == nil || err != nil && !errors.Is(err, ErrBadTables) && !errors.As(err, &fault) {
			t.Fatalf("%v, %v", got, err)
		}
	})
}
