// Package vmcoreinfo reads VMCOREINFO, the text in which a kernel tells dump
// tools where its own things are (Linux kernel/vmcore_info.c, before v6.9 in
// kernel/crash_core.c and kernel/kexec.c), from a note or out of RAM.
package vmcoreinfo

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/kinquest/inquest/mem"
)

// Limits against text that no kernel wrote. The kernel has one page for it
// (VMCOREINFO_BYTES), newer ones a few; real texts have about 110 lines.
const (
	MaxText     = 64 << 10 // bytes of text that Parse looks at
	maxEntries  = 4096
	maxProblems = 16
)

// ErrNotVMCOREINFO: the text is not a kernel's VMCOREINFO.
var ErrNotVMCOREINFO = errors.New("not VMCOREINFO")

// Info is a parsed VMCOREINFO text. It is immutable.
type Info struct {
	OSRelease string // as `uname -r`
	BuildID   string // hex digits; "" before Linux 5.9. Some stable releases wrote garbage here.
	PageSize  int    // bytes; 0 when the text does not say

	// KASLROffset is how far the kernel's virtual addresses are shifted, in
	// bytes (KERNELOFFSET). HasKASLR is false when the text does not say.
	KASLROffset uint64
	HasKASLR    bool

	// CrashTime is when the kernel crashed; zero unless crash_kexec ran.
	CrashTime time.Time

	// Problems lists the lines that could not be understood.
	Problems []string

	text    string
	entries []entry
	index   map[string]int // whole key -> entries

	malformed int // lines without a value, or without the number that their key promises
}

// entry is one line: key=value.
type entry struct {
	key, raw string
	num      uint64
	numeric  bool
}

// Parse reads the text of a VMCOREINFO note. It ends at the first NUL byte.
// Lines that make no sense are listed in Problems; the error wraps
// ErrNotVMCOREINFO when the text names no kernel release.
func Parse(text []byte) (*Info, error) {
	v := &Info{index: map[string]int{}}
	if len(text) > MaxText {
		text = text[:MaxText]
		v.problem("text is longer than %d bytes: the rest is ignored", MaxText)
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	v.text = string(text)
	for n, line := range strings.Split(strings.TrimSuffix(v.text, "\n"), "\n") {
		if len(v.entries) == maxEntries {
			v.problem("more than %d lines: the rest is ignored", maxEntries)
			break
		}
		v.add(n+1, line)
	}
	v.OSRelease, _ = v.Value("OSRELEASE")
	if !saneRelease(v.OSRelease) {
		return nil, fmt.Errorf("%w: OSRELEASE is %q", ErrNotVMCOREINFO, clip(v.OSRelease))
	}
	v.setFields()
	return v, nil
}

// setFields fills the fields that have no SYMBOL() or such around their name.
func (v *Info) setFields() {
	if id, ok := v.Value("BUILD-ID"); ok {
		if hexDigits(id) {
			v.BuildID = id
		} else {
			v.problem("BUILD-ID is %q", clip(id))
		}
	}
	if n, ok := v.number("PAGESIZE"); ok {
		if n >= 4<<10 && n <= 64<<10 && n&(n-1) == 0 {
			v.PageSize = int(n)
		} else {
			v.problem("PAGESIZE is %d", n)
		}
	}
	v.KASLROffset, v.HasKASLR = v.number("KERNELOFFSET")
	if n, ok := v.number("CRASHTIME"); ok && int64(n) > 0 {
		v.CrashTime = time.Unix(int64(n), 0).UTC()
	}
}

// add reads line number n.
func (v *Info) add(n int, line string) {
	key, raw, ok := strings.Cut(line, "=")
	if !ok || key == "" {
		v.malformed++
		v.problem("line %d: %q has no key and value", n, clip(line))
		return
	}
	if i, again := v.index[key]; again {
		if v.entries[i].raw != raw {
			v.problem("line %d: %s is given twice, with other values", n, clip(key))
		}
		return
	}
	e := entry{key: key, raw: raw}
	if base, numeric := numberBase(key); numeric {
		if e.num, e.numeric = parseNumber(raw, base); !e.numeric {
			v.malformed++
			v.problem("line %d: %s is %q, no number", n, clip(key), clip(raw))
		}
	}
	v.index[key] = len(v.entries)
	v.entries = append(v.entries, e)
}

// numberBase says whether the key's value is a number, and its base when no
// prefix tells: the kernel writes symbols and KERNELOFFSET as %lx, the rest as
// %lu, %ld or 0x%lx (include/linux/vmcore_info.h).
func numberBase(key string) (base int, numeric bool) {
	switch key {
	case "KERNELOFFSET":
		return 16, true
	case "PAGESIZE", "CRASHTIME":
		return 10, true
	}
	kind, _, ok := strings.Cut(key, "(")
	if !ok || !strings.HasSuffix(key, ")") {
		return 0, false
	}
	switch kind {
	case "SYMBOL":
		return 16, true
	case "SIZE", "OFFSET", "LENGTH", "NUMBER":
		return 10, true
	}
	return 0, false
}

// parseNumber gives the 64 bits of a decimal, negative or hexadecimal number.
func parseNumber(s string, base int) (uint64, bool) {
	s = strings.TrimSpace(s)
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		s, base = h, 16
	}
	if strings.HasPrefix(s, "-") {
		n, err := strconv.ParseInt(s, base, 64)
		return uint64(n), err == nil
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

func (v *Info) problem(format string, args ...any) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

func (v *Info) number(key string) (uint64, bool) {
	i, ok := v.index[key]
	if !ok || !v.entries[i].numeric {
		return 0, false
	}
	return v.entries[i].num, true
}

// Symbol gives the run-time address of SYMBOL(name).
func (v *Info) Symbol(name string) (mem.Virt, bool) {
	n, ok := v.number("SYMBOL(" + name + ")")
	return mem.Virt(n), ok
}

// Size gives SIZE(name), the size of a type in bytes.
func (v *Info) Size(name string) (uint64, bool) { return v.number("SIZE(" + name + ")") }

// Offset gives OFFSET(name), where name is "type.member", in bytes.
func (v *Info) Offset(name string) (uint64, bool) { return v.number("OFFSET(" + name + ")") }

// Length gives LENGTH(name), an array's number of elements.
func (v *Info) Length(name string) (uint64, bool) { return v.number("LENGTH(" + name + ")") }

// Number gives NUMBER(name). Kernels write both negative numbers and addresses
// so: convert to uint64 for the latter.
func (v *Info) Number(name string) (int64, bool) {
	n, ok := v.number("NUMBER(" + name + ")")
	return int64(n), ok
}

// Value gives what the text says behind "key=", for any key.
func (v *Info) Value(key string) (string, bool) {
	i, ok := v.index[key]
	if !ok {
		return "", false
	}
	return v.entries[i].raw, true
}

// All gives every key and its value in the text's order.
func (v *Info) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, e := range v.entries {
			if !yield(e.key, e.raw) {
				return
			}
		}
	}
}

// Len is the number of keys.
func (v *Info) Len() int { return len(v.entries) }

// Text is the text that was parsed.
func (v *Info) Text() string { return v.text }

// saneRelease says whether s could be `uname -r`: not a format string, not
// binary, and no longer than struct new_utsname allows.
func saneRelease(s string) bool {
	const maxRelease = 64
	if s == "" || len(s) > maxRelease || s[0] < '0' || s[0] > '9' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '%' {
			return false
		}
	}
	return true
}

func hexDigits(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// clip shortens text of a dump for a message.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
