package task

import (
	"fmt"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// Memory is how much memory a task uses.
type Memory struct {
	VirtualPages  uint64 `json:"virtual_pages"`  // mm_struct.total_vm
	ResidentPages uint64 `json:"resident_pages"` // file + anonymous + shared memory
}

// MemoryReader reads the memory counters of tasks.
type MemoryReader struct {
	k *kernel.Kernel
	f memoryFields
}

type memoryFields struct {
	TotalVM layout.Field `k:"mm_struct.total_vm"`
	// An array of per-CPU counters since v6.2, f1a7941243c1 ("mm: convert mm's
	// rss stats into percpu_counter"); before, struct mm_rss_stat with an array
	// of atomic_long_t.
	RSS      layout.Field `k:"mm_struct.rss_stat"`
	Count    layout.Field `k:"percpu_counter.count"`
	Counters layout.Field `k:"percpu_counter.counters"`
	Counter  layout.Size  `k:"struct percpu_counter"`
}

// Indices of the resident-page counters (include/linux/mm_types_task.h):
// MM_FILEPAGES 0, MM_ANONPAGES 1, MM_SWAPENTS 2, MM_SHMEMPAGES 3 (since v4.5).
var residentCounters = []uint64{0, 1, 3}

// NewMemoryReader binds the members it takes.
func NewMemoryReader(k *kernel.Kernel) (*MemoryReader, error) {
	r := &MemoryReader{k: k}
	if err := k.Bind(&r.f); err != nil {
		return nil, fmt.Errorf("memory of tasks: %w", err)
	}
	return r, nil
}

// Of gives the memory of a task. Kernel threads have none: both counts are 0.
func (r *MemoryReader) Of(t *Task) (Memory, error) {
	if t.MM == 0 {
		return Memory{}, nil
	}
	vm, err := r.f.TotalVM.Read(r.k.Mem, t.MM)
	if err != nil {
		return Memory{}, fmt.Errorf("mm_struct of task %d: %w", t.PID, err)
	}
	m := Memory{VirtualPages: vm}
	for _, i := range residentCounters {
		n, err := r.counter(t.MM, i)
		if err != nil {
			return Memory{}, fmt.Errorf("resident pages of task %d: %w", t.PID, err)
		}
		m.ResidentPages += uint64(max(n, 0)) // a counter may lag below zero
	}
	return m, nil
}

// counter reads one counter of rss_stat, in either of its shapes.
func (r *MemoryReader) counter(mm mem.Virt, i uint64) (int64, error) {
	at := mm + mem.Virt(r.f.RSS.Off)
	if r.f.Counter.Bytes == 0 || !isArray(r.f.RSS.Type) { // atomic_long_t count[]
		if 8*(i+1) > r.f.RSS.Size {
			return 0, nil // before v4.5 there is no counter of shared memory
		}
		v, err := mem.U64(r.k.Mem, at+mem.Virt(8*i))
		return int64(v), err
	}
	if r.f.Counter.Bytes*(i+1) > r.f.RSS.Size {
		return 0, nil
	}
	return r.perCPU(at + mem.Virt(r.f.Counter.Bytes*i))
}

// perCPU sums a struct percpu_counter: its base count and what each CPU holds
// back (C percpu_counter_sum).
func (r *MemoryReader) perCPU(at mem.Virt) (int64, error) {
	v, err := r.f.Count.Read(r.k.Mem, at)
	if err != nil {
		return 0, err
	}
	sum := int64(v)
	local, err := r.f.Counters.Read(r.k.Mem, at)
	if err != nil {
		return 0, err
	}
	if local == 0 { // without SMP, or freed with its mm
		return sum, nil
	}
	for _, cpu := range r.k.PossibleCPUs() {
		p, err := r.k.PerCPU(mem.Virt(local), cpu)
		if err != nil {
			return 0, err
		}
		n, err := mem.U32(r.k.Mem, p) // s32 __percpu *counters
		if err != nil {
			return 0, err
		}
		sum += int64(int32(n))
	}
	return sum, nil
}

// isArray says whether t is an array, not a struct around one.
func isArray(t ctype.Type) bool {
	_, ok := ctype.Strip(t).(*ctype.Array)
	return ok
}
