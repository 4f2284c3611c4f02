package kernel

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/kinquest/inquest/mem"
)

// MaxCPUs bounds the CPU masks that are read: the largest CONFIG_NR_CPUS of
// x86_64 (arch/x86/Kconfig, MAXSMP).
const MaxCPUs = 8192

// cpus is what the kernel knows of its processors.
type cpus struct {
	possible, present, online, active []int
	offsets                           map[int]mem.Virt // per-CPU base by CPU number
}

// PossibleCPUs gives the numbers of all CPUs that the kernel made room for
// (C cpu_possible_mask).
func (k *Kernel) PossibleCPUs() []int { return k.cpus.possible }

// PresentCPUs gives the numbers of the plugged-in CPUs (C cpu_present_mask); none
// when the masks could not be read.
func (k *Kernel) PresentCPUs() []int { return k.cpus.present }

// OnlineCPUs gives the numbers of the CPUs online when the dump was taken
// (C cpu_online_mask). panic() takes the others offline on x86_64, so this is
// not what was online before.
func (k *Kernel) OnlineCPUs() []int { return k.cpus.online }

// ActiveCPUs gives the numbers of the CPUs that the scheduler uses
// (C cpu_active_mask). panic() leaves it alone: it tells the CPUs that panic
// stopped from those that had been offline before.
func (k *Kernel) ActiveCPUs() []int { return k.cpus.active }

// PerCPU gives the address of a CPU's own copy of the per-CPU variable whose
// symbol is at addr (C per_cpu_ptr).
func (k *Kernel) PerCPU(addr mem.Virt, cpu int) (mem.Virt, error) {
	off, ok := k.cpus.offsets[cpu]
	if !ok {
		return 0, fmt.Errorf("per-CPU data: no CPU %d", cpu)
	}
	return addr + off, nil
}

// PerCPUSym gives the address of a CPU's own copy of a per-CPU variable.
// Names are tried in order, the newest kernel's first.
func (k *Kernel) PerCPUSym(cpu int, names ...string) (mem.Virt, error) {
	at, err := k.Sym(names...)
	if err != nil {
		return 0, err
	}
	return k.PerCPU(at, cpu)
}

// PerCPUOffset gives the base of a CPU's per-CPU area (C __per_cpu_offset[cpu]).
func (k *Kernel) PerCPUOffset(cpu int) (mem.Virt, bool) {
	off, ok := k.cpus.offsets[cpu]
	return off, ok
}

// findCPUs reads the CPU masks and the per-CPU offsets.
func (k *Kernel) findCPUs() error {
	var err error
	if k.cpus.possible, err = k.cpuMask("__cpu_possible_mask", "cpu_possible_bits"); err != nil {
		return err
	}
	present, err1 := k.cpuMask("__cpu_present_mask", "cpu_present_bits")
	online, err2 := k.cpuMask("__cpu_online_mask", "cpu_online_bits")
	active, err3 := k.cpuMask("__cpu_active_mask", "cpu_active_bits")
	err = errors.Join(err1, err2, err3)
	if err == nil { // only together: no mask that was read must count as empty beside one that was not
		k.cpus.present, k.cpus.online, k.cpus.active = present, online, active
	}
	return errors.Join(err, k.findPerCPUOffsets())
}

// findPerCPUOffsets reads __per_cpu_offset for the possible CPUs.
func (k *Kernel) findPerCPUOffsets() error {
	k.cpus.offsets = make(map[int]mem.Virt, len(k.cpus.possible))
	table, err := k.Sym("__per_cpu_offset")
	if err != nil { // a kernel without SMP has one copy, in place
		k.cpus.offsets[0] = 0
		return nil
	}
	for _, cpu := range k.cpus.possible {
		off, err := mem.U64(k.Mem, table+mem.Virt(cpu)*8)
		if err != nil {
			return fmt.Errorf("__per_cpu_offset[%d]: %w", cpu, err)
		}
		k.cpus.offsets[cpu] = mem.Virt(off)
	}
	return nil
}

// cpuMask reads a struct cpumask by its symbol. The masks are variables since
// v4.5, 4b804c85dc37 ("kernel/cpu.c: export __cpu_*_mask"); before, bitmaps
// named cpu_*_bits.
func (k *Kernel) cpuMask(names ...string) ([]int, error) {
	s, err := k.symbol(names...)
	if err != nil {
		return nil, err
	}
	// nr_cpu_ids is a constant where NR_CPUS is small, so the symbol's size
	// counts: it may take in padding, in which no bit is set.
	words := int(min(s.Size, MaxCPUs/8)+7) / 8
	if n, err := k.SymU32("nr_cpu_ids"); err == nil && n > 0 && n <= MaxCPUs {
		words = int(n+63) / 64
	}
	var cpus []int
	for i := range words {
		w, err := mem.U64(k.Mem, s.Addr+mem.Virt(i*8))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		for ; w != 0; w &= w - 1 {
			cpus = append(cpus, i*64+bits.TrailingZeros64(w))
		}
	}
	return cpus, nil
}
