package arch

import (
	"encoding/binary"
	"testing"
)

// words builds a pt_regs of 21 words, in memory order.
func ptRegsBytes(cs, flags, ss, ip, sp uint64) []byte {
	b := make([]byte, PtRegsSize)
	for i := range 16 {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(i)+100)
	}
	for i, v := range []uint64{ip, cs, flags, sp, ss} {
		binary.LittleEndian.PutUint64(b[IRetOffset+8*i:], v)
	}
	return b
}

func TestPtRegs(t *testing.T) {
	r := PtRegs(ptRegsBytes(0x1_0000_0010, 0x246, 0xffff_0000_0018, 0xffffffff81000123, 0xffffc90000003f58))
	for i, reg := range ptRegsOrder {
		if v, ok := r.Get(reg); !ok || v != uint64(i)+100 {
			t.Errorf("%v is %d, %v", reg, v, ok)
		}
	}
	if r.OrigRAX != 115 || r.CS != KernelCS || r.SS != KernelSS || r.Val(RIP) != 0xffffffff81000123 {
		t.Errorf("orig_ax %d, cs %#x, ss %#x, rip %#x", r.OrigRAX, r.CS, r.SS, r.Val(RIP))
	}
	part := IRetRegs(ptRegsBytes(0x33, 2, 0x2b, 1, 2)[IRetOffset:])
	if part.Known(RBP) || !part.User() || part.Val(RSP) != 2 {
		t.Errorf("partial registers: %+v", part)
	}
}

func TestPlausible(t *testing.T) {
	const kip, ksp = 0xffffffff81000123, 0xffffc90000003f58
	for name, c := range map[string]struct {
		cs, flags, ss, ip, sp uint64
		want                  bool
	}{
		"kernel":            {KernelCS, 0x246, KernelSS, kip, ksp, true},
		"kernel, IST":       {KernelCS, 0x46, 0, kip, ksp, true},
		"null call":         {KernelCS, 0x10246, KernelSS, 0, ksp, true},
		"user":              {UserCS, 0x246, UserSS, 0x401000, 0x7ffff000, true},
		"32-bit user":       {User32CS, 0x246, UserSS, 0x401000, 0xffff0000, true},
		"user's LDT":        {0xf, 0x246, 0x17, 0x401000, 0x7ffff000, true},
		"other kernel CS":   {0x18, 0x246, KernelSS, kip, ksp, false},
		"Xen PV user":       {XenUserCS, 0x246, XenUserSS, 0x401000, 0x7ffff000, true},
		"flags without 1":   {KernelCS, 0x244, KernelSS, kip, ksp, false},
		"reserved flag":     {KernelCS, 0x24e, KernelSS, kip, ksp, false},
		"mixed levels":      {UserCS, 0x246, KernelSS, 0x401000, 0x7ffff000, false},
		"user in kernel":    {UserCS, 0x246, UserSS, kip, 0x7ffff000, false},
		"kernel, user's sp": {KernelCS, 0x246, KernelSS, kip, 0x7ffff000, false},
		"zeros":             {},
	} {
		r := PtRegs(ptRegsBytes(c.cs, c.flags, c.ss, c.ip, c.sp))
		if got := r.Plausible(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if KnownCS(0) || KnownCS(UserSS) || !KnownCS(KernelCS) || !KnownCS(User32CS) {
		t.Error("KnownCS takes data selectors for code, or misses one")
	}
	if (&Regs{CS: KernelCS, Flags: 2}).Plausible() {
		t.Error("registers that are not Full are plausible")
	}
}
