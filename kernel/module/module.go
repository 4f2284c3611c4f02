// Package module reads what the kernel knows of its loaded modules beyond
// where they lie.
package module

import (
	"encoding/hex"
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/taint"
	"github.com/kinquest/inquest/mem"
)

// Details are facts of one module. Strings are empty where the module has none.
type Details struct {
	Taints  string // taint letters that the module brings: "OE"
	Version string // MODULE_VERSION
	BuildID string // hex digits of its ELF build ID
}

// Reader reads the details of modules.
type Reader struct {
	k *kernel.Kernel
	f fields
}

type fields struct {
	Taints  layout.Field `k:"module.taints"`
	Version layout.Field `k:"module.version"`
	// Since v5.14, 9294523e3768 ("module: add printk formats to add module build ID to stacktraces").
	BuildID layout.Field `k:"module.build_id,optional"`
}

// maxVersion bounds MODULE_VERSION, which is a word or a date.
const maxVersion = 256

// NewReader binds the members it takes.
func NewReader(k *kernel.Kernel) (*Reader, error) {
	r := &Reader{k: k}
	if err := k.Bind(&r.f); err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	return r, nil
}

// Of reads the details of m.
func (r *Reader) Of(m *kernel.Module) (Details, error) {
	at := layout.NewReader(r.k.Mem, m.Addr)
	mask, version := at.Uint(&r.f.Taints), at.Ptr(&r.f.Version)
	if err := at.Err(); err != nil {
		return Details{}, fmt.Errorf("module %s: %w", m.Name, err)
	}
	var d Details
	var err error
	if d.Taints, err = taint.Letters(r.k, mask); err != nil {
		return Details{}, fmt.Errorf("module %s: %w", m.Name, err)
	}
	if version != 0 {
		if d.Version, err = mem.CString(r.k.Mem, version, maxVersion); err != nil {
			return Details{}, fmt.Errorf("version of module %s: %w", m.Name, err)
		}
	}
	if r.f.BuildID.OK() {
		id, err := r.f.BuildID.ReadBytes(r.k.Mem, m.Addr)
		if err != nil {
			return Details{}, fmt.Errorf("build ID of module %s: %w", m.Name, err)
		}
		if !zero(id) { // a module without one
			d.BuildID = hex.EncodeToString(id)
		}
	}
	return d, nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
