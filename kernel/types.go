package kernel

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/btf"
)

// maxBTF bounds what is read of the kernel's BTF: distributions have 5 MiB, a
// kernel with everything built in some 15 MiB.
const maxBTF = 128 << 20

// findTypes parses the BTF between __start_BTF and __stop_BTF.
func (b *boot) findTypes() error {
	spec, err := b.loadBTF()
	if err != nil {
		b.k.trail.failed("types", err)
		return &UnsupportedError{
			What: "type information", Err: err,
			Hint: "inquest needs a kernel built with CONFIG_DEBUG_INFO_BTF, v5.2 or later; it cannot use a vmlinux yet",
		}
	}
	b.k.Types = spec
	b.k.trail.found("types", fmt.Sprintf("BTF: %d types", spec.Len()), "symbols __start_BTF and __stop_BTF")
	return nil
}

func (b *boot) loadBTF() (*btf.Spec, error) {
	start, err := b.k.Sym("__start_BTF")
	if err != nil {
		return nil, err
	}
	stop, err := b.k.Sym("__stop_BTF")
	if err != nil {
		return nil, err
	}
	if stop <= start || stop-start > maxBTF {
		return nil, fmt.Errorf("BTF from %s to %s", start, stop)
	}
	data := make([]byte, stop-start)
	if _, err := b.k.Mem.ReadMem(data, start); err != nil {
		return nil, fmt.Errorf("BTF: %w", err)
	}
	return btf.Parse(data, nil)
}
