// Package taint reads why a kernel or a module counts as tainted.
package taint

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// Mask reads the kernel's taint bits (C tainted_mask).
func Mask(k *kernel.Kernel) (uint64, error) { return k.SymU64("tainted_mask") }

type flagFields struct {
	True layout.Field `k:"taint_flag.c_true"`
	Size layout.Size  `k:"struct taint_flag"`
}

// maxFlags bounds the letters: the bits of an unsigned long.
const maxFlags = 64

// Letters gives the letters of the bits set in mask, as the kernel prints them
// behind "Tainted:" ("POE"), from its own table (C taint_flags, since v4.10,
// 7fd8329ba502). A bit without a letter is shown as "?".
func Letters(k *kernel.Kernel, mask uint64) (string, error) {
	if mask == 0 {
		return "", nil
	}
	var f flagFields
	if err := k.Bind(&f); err != nil {
		return "", fmt.Errorf("taint letters: %w", err)
	}
	table, err := k.Sym("taint_flags")
	if err != nil {
		return "", fmt.Errorf("taint letters: %w", err)
	}
	var out []byte
	for bit := range maxFlags {
		if mask>>bit&1 == 0 {
			continue
		}
		c, err := f.True.Read(k.Mem, table+mem.Virt(uint64(bit)*f.Size.Bytes))
		if err != nil {
			return "", fmt.Errorf("taint_flags[%d]: %w", bit, err)
		}
		if c < 'A' || c > 'Z' { // the table is shorter than the mask
			c = '?'
		}
		out = append(out, byte(c))
	}
	return string(out), nil
}
