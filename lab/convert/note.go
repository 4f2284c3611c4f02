package convert

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

const pageSize = 4096

// scanBlock is how much of a dump is searched at a time, a multiple of pageSize.
const scanBlock = 1 << 20

// ErrNoNote says that memory holds no VMCOREINFO text.
var ErrNoNote = errors.New("no VMCOREINFO in memory")

// VMCOREINFO finds the text that the kernel keeps for crash dumps in the
// memory of an ELF core: a page that begins with "OSRELEASE=" and holds the
// symbols' addresses (kernel/crash_core.c).
func VMCOREINFO(r io.ReaderAt) ([]byte, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("look for VMCOREINFO: %w", err)
	}
	block := make([]byte, scanBlock)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		for off := int64(0); off < int64(p.Filesz); off += scanBlock {
			n, err := p.ReadAt(block, off)
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("look for VMCOREINFO: segment at %#x: %w", p.Off, err)
			}
			if text := noteIn(block[:n]); text != nil {
				return text, nil
			}
		}
	}
	return nil, ErrNoNote
}

func noteIn(block []byte) []byte {
	for ; len(block) >= pageSize; block = block[pageSize:] {
		if !bytes.HasPrefix(block, []byte("OSRELEASE=")) {
			continue
		}
		text, _, _ := bytes.Cut(block[:pageSize], []byte{0})
		if bytes.Contains(text, []byte("SYMBOL(init_uts_ns)=")) && bytes.Contains(text, []byte("KERNELOFFSET=")) {
			return bytes.Clone(text)
		}
	}
	return nil
}
