package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/lab"
)

// What a damaged dump may cost.
const (
	damageTime   = 5 * time.Second
	damageMemory = 1 << 30 // bytes of this process
)

// Damage is how inquest bore dumps that were cut or overwritten.
type Damage struct {
	Dump    string
	Runs    int
	Whole   int // nothing of what was damaged mattered
	Partial int // answered, and said what was missing
	Refused int // a clear error
	Slowest time.Duration
	Memory  uint64 // most bytes that the process had of the system
	Bad     []string
}

// cuts is how many truncations are tried, at places that seed chooses.
const (
	cuts = 20
	seed = 20261123
)

// headerWords is how much of the start of a file is overwritten word by word:
// the ELF header and program headers, or the first block and sub-header of a
// kdump with what makedumpfile and QEMU keep there.
var headerWords = map[string][][2]int64{
	"ELF core": {{0, 1024}},
	"kdump":    {{0, 512}, {4096, 4096 + 128}},
}

// Hurt reads a dump again and again, cut at random places and with every word
// of its headers overwritten by 0, 1 and all ones.
func Hurt(ctx context.Context, d lab.Dump) (*Damage, error) {
	h := &Damage{Dump: d.Name}
	f, err := os.Open(d.Files[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(seed, uint64(info.Size())))
	for range cuts {
		size := rnd.Int64N(info.Size())
		h.try(ctx, fmt.Sprintf("cut at %d", size), io.NewSectionReader(f, 0, size), size)
	}
	img, err := dump.Open(ctx, d.Files...)
	if err != nil {
		return nil, err
	}
	format := img.Info().Format
	if err := img.Close(); err != nil {
		return nil, err
	}
	words := headerWords[format]
	if words == nil {
		return h, fmt.Errorf("%s: no header of format %q is known", d.Name, format)
	}
	for _, r := range words {
		for _, width := range []int64{4, 8} {
			for off := r[0]; off < r[1]; off += width {
				for _, v := range []byte{0, 1, 0xff} {
					h.overwrite(ctx, f, info.Size(), off, width, v)
				}
			}
		}
	}
	return h, ctx.Err()
}

// overwrite tries the file with the word at off set to 0, 1 or all ones.
func (h *Damage) overwrite(ctx context.Context, f io.ReaderAt, size, off, width int64, v byte) {
	word := make([]byte, width)
	for i := range word {
		if v == 0xff || i == 0 {
			word[i] = v
		}
	}
	h.try(ctx, fmt.Sprintf("%d bytes at %#x set to %x", width, off, word), patched{f, off, word}, size)
}

// patched is a file with some bytes changed.
type patched struct {
	io.ReaderAt
	off  int64
	data []byte
}

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, off)
	for i, v := range p.data {
		if at := p.off + int64(i) - off; at >= 0 && at < int64(n) {
			b[at] = v
		}
	}
	return n, err
}

// outcome is what became of one damaged dump.
type outcome uint8

const (
	refused outcome = iota
	partial
	whole
)

// try reads everything once and notes what it took.
func (h *Damage) try(ctx context.Context, what string, src io.ReaderAt, size int64) {
	h.Runs++
	ctx, cancel := context.WithTimeout(ctx, 2*damageTime)
	defer cancel()
	begun := time.Now()
	out, err := readAll(ctx, src, size)
	took := time.Since(begun)
	switch out {
	case whole:
		h.Whole++
	case partial:
		h.Partial++
	case refused:
		h.Refused++
	}
	h.Slowest = max(h.Slowest, took)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.Memory = max(h.Memory, m.Sys)
	if p, ok := errors.AsType[*panicked](err); ok || took > damageTime || m.Sys > damageMemory {
		h.Bad = append(h.Bad, fmt.Sprintf("%s: %v, %d MiB: %v", what, took, m.Sys>>20, p))
	}
}

// panicked is a fault of ours.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// readAll opens a dump and reads its log, tasks and stacks.
func readAll(ctx context.Context, src io.ReaderAt, size int64) (out outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			buf := make([]byte, 8<<10)
			out, err = refused, &panicked{v, string(buf[:runtime.Stack(buf, false)])}
		}
	}()
	img, err := dump.OpenReader(ctx, src, size, "damaged")
	if err != nil {
		return refused, err
	}
	k, err := kernel.Open(ctx, img)
	if err != nil {
		return refused, err
	}
	out = whole
	lacks := func(bad bool) {
		if bad {
			out = partial
		}
	}
	info := img.Info()
	lacks(info.Truncated || info.Incomplete || len(info.Problems) > 0)
	log, err := printk.Load(ctx, k)
	lacks(err != nil || len(log.Problems) > 0)
	tasks, err := task.Load(ctx, k)
	lacks(err != nil || len(tasks.Problems) > 0)
	if err != nil {
		return partial, err
	}
	u, err := stack.New(k)
	if err != nil {
		return partial, err
	}
	for i, tr := range u.All(ctx, tasks.Tasks) {
		dead := tasks.Tasks[i].State&(task.ExitDead|task.ExitZombie) != 0 // has given up its stack
		lacks(tr.Err != nil && !dead)
	}
	return out, ctx.Err()
}

// String is the outcome on one line, and what was bad below it.
func (h *Damage) String() string {
	s := fmt.Sprintf("%s: %d damaged dumps: %d whole, %d partial, %d refused; slowest %v, %d MiB",
		h.Dump, h.Runs, h.Whole, h.Partial, h.Refused, h.Slowest.Round(time.Millisecond), h.Memory>>20)
	for _, b := range h.Bad {
		s += "\n    " + b
	}
	return s
}
