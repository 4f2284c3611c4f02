package fp

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/arch"
)

type words map[uint64]uint64

var errGone = errors.New("gone")

func (w words) Word(addr uint64) (uint64, error) {
	if v, ok := w[addr]; ok {
		return v, nil
	}
	return 0, errGone
}

func (w words) PtRegs(addr uint64) (arch.Regs, error) {
	if _, ok := w[addr]; !ok {
		return arch.Regs{}, errGone
	}
	r := arch.PtRegs(make([]byte, arch.PtRegsSize))
	r.Set(arch.RIP, w[addr])
	return r, nil
}

func TestStep(t *testing.T) {
	st := words{0x1000: 0x1040, 0x1008: 0xabc, 0x2000: 0xdef, 0x3000: 5}
	for name, c := range map[string]struct {
		bp         uint64
		set        bool
		pc, sp     uint64
		next, slot uint64
		regs       bool
		err        error
	}{
		"frame":           {bp: 0x1000, set: true, pc: 0xabc, sp: 0x1010, next: 0x1040, slot: 0x1008},
		"saved registers": {bp: 0x2001, set: true, pc: 0xdef, regs: true},
		"unknown RBP":     {err: ErrNoChain},
		"zero RBP":        {set: true, err: ErrNoChain},
		"no frame":        {bp: 0x1010, set: true, err: errGone},
		"half a frame":    {bp: 0x3000, set: true, err: errGone},
		"no registers":    {bp: 0x4001, set: true, err: errGone},
	} {
		var r arch.Regs
		if c.set {
			r.Set(arch.RBP, c.bp)
		}
		before := r
		got, err := Step(&r, st)
		if c.err != nil {
			if !errors.Is(err, c.err) || r != before {
				t.Errorf("%s: %v, registers %+v", name, err, r)
			}
			continue
		}
		if err != nil || r.Val(arch.RIP) != c.pc || r.Val(arch.RSP) != c.sp || r.Val(arch.RBP) != c.next {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if got.Slot != c.slot || got.Regs != c.regs {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
