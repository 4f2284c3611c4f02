package unwind

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
)

// errOffStack means that an address lies on none of the stacks a walk knows.
var errOffStack = errors.New("not on a known stack")

// window keeps the last pages read of a stack, so that a walk reads each once.
type window struct {
	mem   mem.Reader[mem.Virt]
	pages [windowPages]windowPage
	next  int // page to replace
}

// windowPages is the size of a window: a sleeping task's frames lie within the
// outermost two pages of its stack.
const windowPages = 2

type windowPage struct {
	at    mem.Virt
	valid bool
	b     [mem.PageSize]byte
}

func (w *window) reset(m mem.Reader[mem.Virt]) {
	w.mem = m
	for i := range w.pages {
		w.pages[i].valid = false
	}
}

// read fills dst, which must not cross a page.
func (w *window) read(dst []byte, addr mem.Virt) error {
	at := addr &^ (mem.PageSize - 1)
	for i := range w.pages {
		if p := &w.pages[i]; p.valid && p.at == at {
			copy(dst, p.b[addr-at:])
			return nil
		}
	}
	p := &w.pages[w.next]
	p.valid = false
	if _, err := w.mem.ReadMem(p.b[:], at); err != nil {
		// Part of a page may be all there is, as in a truncated dump.
		_, err = w.mem.ReadMem(dst, addr)
		return err
	}
	p.at, p.valid = at, true
	w.next = (w.next + 1) % windowPages
	copy(dst, p.b[addr-at:])
	return nil
}

func (w *window) word(addr mem.Virt) (uint64, error) {
	var b [8]byte
	if err := w.read(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// words fills dst, whose length is a multiple of 8, from an aligned address.
func (w *window) words(dst []byte, addr mem.Virt) error {
	for i := 0; i < len(dst); i += 8 {
		if err := w.read(dst[i:i+8], addr+mem.Virt(i)); err != nil {
			return err
		}
	}
	return nil
}

// onStack checks that n bytes at addr are aligned and on one of the stacks.
func (w *walk) onStack(addr mem.Virt, n uint64) error {
	if addr%8 != 0 {
		return fmt.Errorf("%v: misaligned", addr)
	}
	if w.cur >= 0 && w.stacks[w.cur].contains(addr, n) {
		return nil
	}
	for i := range w.stacks {
		if w.stacks[i].contains(addr, n) {
			return nil
		}
	}
	return fmt.Errorf("%v: %w", addr, errOffStack)
}

// Word implements orc.Stack and fp.Stack.
func (w *walk) Word(addr uint64) (uint64, error) {
	if err := w.onStack(mem.Virt(addr), 8); err != nil {
		return 0, err
	}
	return w.win.word(mem.Virt(addr))
}

// PtRegs implements orc.Stack and fp.Stack.
func (w *walk) PtRegs(addr uint64) (arch.Regs, error) {
	var b [arch.PtRegsSize]byte
	if err := w.onStack(mem.Virt(addr), uint64(len(b))); err != nil {
		return arch.Regs{}, err
	}
	if err := w.win.words(b[:], mem.Virt(addr)); err != nil {
		return arch.Regs{}, err
	}
	return arch.PtRegs(b[:]), nil
}

// IRetRegs implements orc.Stack.
func (w *walk) IRetRegs(addr uint64) (arch.Regs, error) {
	var b [arch.IRetSize]byte
	if err := w.onStack(mem.Virt(addr), uint64(len(b))); err != nil {
		return arch.Regs{}, err
	}
	if err := w.win.words(b[:], mem.Virt(addr)); err != nil {
		return arch.Regs{}, err
	}
	return arch.IRetRegs(b[:]), nil
}
