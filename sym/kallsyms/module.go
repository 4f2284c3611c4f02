package kallsyms

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
)

// ModuleTables is what a module's struct mod_kallsyms says: module.core_kallsyms
// since v4.5, 8244062ef1e5 ("modules: fix longstanding /proc/kallsyms vs module
// insertion race."), before it members of struct module itself.
type ModuleTables struct {
	Symtab  mem.Virt // Elf64_Sym[]
	Num     uint64   // num_symtab
	Strtab  mem.Virt
	Typetab mem.Virt // char[]; 0 before v5.2
}

// Limits of one module. The largest of distributions have 60,000 symbols with
// 3 MB of names.
const (
	maxModuleSyms  = 1 << 20
	maxModuleNames = 32 << 20
)

// Elf64_Sym (gABI, "Symbol Table").
const (
	elfSymSize  = 24
	elfStName   = 0
	elfStInfo   = 4
	elfStShndx  = 6
	elfStValue  = 8
	elfStSize   = 16
	elfShnUndef = 0
)

// LoadModule decodes a module's symbols, in the module's order. As the kernel
// does, it leaves out those that are undefined, unnamed or mark a section's
// contents. The list, which may be empty, holds what could be decoded; the
// error, a wrapped *mem.FaultError or ErrBadTables, says what could not.
func LoadModule(r mem.Reader[mem.Virt], t ModuleTables) (*sym.List, error) {
	list := new(sym.List)
	if t.Num > maxModuleSyms {
		return list, fmt.Errorf("%w: module with %d symbols", ErrBadTables, t.Num)
	}
	symtab := make([]byte, t.Num*elfSymSize)
	if n, err := r.ReadMem(symtab, t.Symtab); err != nil {
		return list, fmt.Errorf("module symbol table, symbol %d of %d: %w", n/elfSymSize, t.Num, err)
	}
	types, err := moduleTypes(r, t, symtab)
	if err != nil {
		return list, err
	}
	names, err := moduleNames(r, t, symtab)
	bad := 0
	for i := range types {
		s := symtab[i*elfSymSize:]
		if i == 0 || binary.LittleEndian.Uint16(s[elfStShndx:]) == elfShnUndef {
			continue
		}
		name, ok := cString(names, binary.LittleEndian.Uint32(s[elfStName:]))
		if !ok {
			bad++
			continue
		}
		if len(name) == 0 || isMapping(name) {
			continue
		}
		if err := list.Add(name, mem.Virt(binary.LittleEndian.Uint64(s[elfStValue:])), types[i]); err != nil {
			return list, fmt.Errorf("%w: %w", ErrBadTables, err)
		}
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%w: %d of %d module symbols have no name in the string table", ErrBadTables, bad, t.Num)
	}
	return list, err
}

// moduleTypes gives the type of each symbol: from typetab since v5.2,
// 1c7651f43777 ("kallsyms: store type information in its own array"); before,
// the kernel overwrote st_size with it since v5.0, 5439c985c5a8 ("module:
// Overwrite st_size instead of st_info"), and st_info earlier.
func moduleTypes(r mem.Reader[mem.Virt], t ModuleTables, symtab []byte) ([]byte, error) {
	types := make([]byte, t.Num)
	if t.Typetab != 0 {
		if n, err := r.ReadMem(types, t.Typetab); err != nil {
			return nil, fmt.Errorf("module symbol types, symbol %d of %d: %w", n, t.Num, err)
		}
		return types, nil
	}
	off := elfStSize
	if t.Num > 1 && isType(symtab[elfSymSize+elfStInfo]) { // no binding and type that ELF knows is a letter
		off = elfStInfo
	}
	for i := range types {
		types[i] = symtab[i*elfSymSize+off]
	}
	return types, nil
}

// moduleNames reads the string table as far as symbols refer to it.
func moduleNames(r mem.Reader[mem.Virt], t ModuleTables, symtab []byte) ([]byte, error) {
	last := uint32(0)
	for i := 0; i < len(symtab); i += elfSymSize {
		if n := binary.LittleEndian.Uint32(symtab[i+elfStName:]); n < maxModuleNames {
			last = max(last, n)
		}
	}
	s := &stream{r: r, at: t.Strtab}
	for {
		err := s.need(int(last) + 1)
		if err == nil && bytes.IndexByte(s.b[last:], 0) < 0 && len(s.b) < int(last)+maxName {
			err = s.need(len(s.b) + 1) // the last name goes on
		} else if err == nil {
			return s.b, nil
		}
		if err != nil {
			return s.b, fmt.Errorf("module symbol names: %w", err)
		}
	}
}

// cString cuts a name that ends with NUL out of a string table.
func cString(b []byte, off uint32) ([]byte, bool) {
	if uint64(off) >= uint64(len(b)) {
		return nil, false
	}
	b = b[off:]
	n := bytes.IndexByte(b[:min(len(b), maxName)], 0)
	if n < 0 {
		return nil, false
	}
	return b[:n], true
}

// isMapping says whether a symbol only marks what a section contains
// (is_mapping_symbol, include/linux/module_symbol.h).
func isMapping(name []byte) bool {
	return name[0] == '$' || bytes.HasPrefix(name, []byte(".L")) || bytes.HasPrefix(name, []byte("L0"))
}
