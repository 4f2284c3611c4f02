package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/btf"
	"github.com/kinquest/inquest/ctype/globals"
	"github.com/kinquest/inquest/ctype/obj"
	"github.com/kinquest/inquest/internal/parallel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
)

// maxBTF bounds what is read of the kernel's BTF: distributions have 5 MiB, a
// kernel with everything built in some 15 MiB.
const maxBTF = 64 << 20

// loadedTypes is what reading the BTF gave.
type loadedTypes struct {
	spec *btf.Spec
	err  error
}

// startTypes begins to read the BTF between __start_BTF and __stop_BTF, while
// the rest of the symbols is put in order.
func (b *boot) startTypes(symbols *sym.List) {
	var start, stop mem.Virt
	for i := range symbols.Len() {
		switch symbols.Name(i) {
		case "__start_BTF":
			start = symbols.Addr(i)
		case "__stop_BTF":
			stop = symbols.Addr(i)
		}
	}
	if !b.haveRoot || start == 0 {
		return
	}
	space := b.k.Mem
	b.types = parallel.Start(func() loadedTypes {
		spec, err := loadBTF(space, start, stop)
		return loadedTypes{spec, err}
	})
}

// findTypes parses the kernel's BTF, or waits for it.
func (b *boot) findTypes() error {
	var got loadedTypes
	if b.types != nil {
		got = b.types()
	} else {
		start, err := b.k.Sym("__start_BTF")
		stop, err2 := b.k.Sym("__stop_BTF")
		if got.err = cmp.Or(err, err2); got.err == nil {
			got.spec, got.err = loadBTF(b.k.Mem, start, stop)
		}
	}
	if got.err != nil {
		b.k.trail.failed("types", got.err)
		return b.noTypes(got.err)
	}
	b.k.Types = globals.New(got.spec)
	b.k.trail.found("types", fmt.Sprintf("BTF: %d types", got.spec.Len()), "symbols __start_BTF and __stop_BTF")
	return nil
}

// noTypes says what the user can do about a kernel without types.
func (b *boot) noTypes(err error) error {
	name := "the kernel"
	if banner, berr := b.k.Banner(); berr == nil {
		if f := strings.Fields(banner); len(f) > 2 { // "Linux version 4.19.0 …"
			name = "kernel " + f[2]
		}
	}
	if _, missing := errors.AsType[*UnsupportedError](err); missing {
		return fmt.Errorf("%s carries no types: inquest needs one built with CONFIG_DEBUG_INFO_BTF (v5.2 or later), and cannot use a vmlinux yet", name)
	}
	return fmt.Errorf("the types of %s cannot be read: %w", name, err)
}

func loadBTF(space *xlat.Space, start, stop mem.Virt) (*btf.Spec, error) {
	if stop <= start || stop-start > maxBTF {
		return nil, fmt.Errorf("BTF from %s to %s", start, stop)
	}
	data := make([]byte, stop-start)
	if _, err := space.ReadMem(data, start); err != nil {
		return nil, fmt.Errorf("BTF: %w", err)
	}
	return btf.Parse(data, nil)
}

// Var gives a global variable of the kernel as a typed value, for cold paths:
// its type is that of BTF (per-CPU variables) or of a declaration that this
// kernel has the types for.
func (k *Kernel) Var(name string) (obj.Value, error) {
	if k.Types == nil {
		return obj.Value{}, Unsupported("variable "+name, "type information")
	}
	t, err := k.Types.Find(ctype.VarKind, name)
	if err != nil {
		return obj.Value{}, err
	}
	at, err := k.Sym(name)
	if err != nil {
		return obj.Value{}, err
	}
	return obj.At(k.Mem, t, at, name), nil
}
