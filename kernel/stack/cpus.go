package stack

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind"
)

// cpuStacks gives the stacks of one CPU besides its tasks': for interrupts, for
// exceptions, and the entry trampoline. What a kernel does not have is left out.
func (u *Unwinder) cpuStacks(cpu int) []unwind.Stack {
	var out []unwind.Stack
	if s, ok, err := u.irqStack(cpu); err != nil {
		u.Problems = append(u.Problems, fmt.Errorf("IRQ stack of CPU %d: %w", cpu, err))
	} else if ok {
		out = append(out, s)
	}
	exc, err := u.exceptionStacks(cpu)
	if err != nil {
		u.Problems = append(u.Problems, fmt.Errorf("exception stacks of CPU %d: %w", cpu, err))
	}
	out = append(out, exc...)
	if s, ok := u.entryStack(cpu); ok {
		out = append(out, s)
	}
	return out
}

// irqStack finds a CPU's IRQ stack by the per-CPU pointer to its top: hot data
// in v6.2 to v6.14, hardirq_stack_ptr since v5.2 otherwise (758a2e312228),
// irq_stack_ptr before.
func (u *Unwinder) irqStack(cpu int) (unwind.Stack, bool, error) {
	var at mem.Virt
	var err error
	if hot, e := u.k.PerCPUSym(cpu, "pcpu_hot"); e == nil && u.f.HotIRQ.OK() {
		at = hot + mem.Virt(u.f.HotIRQ.Off)
	} else if at, err = u.k.PerCPUSym(cpu, "hardirq_stack_ptr", "irq_stack_ptr"); err != nil {
		return unwind.Stack{}, false, err
	}
	top, err := mem.U64(u.k.Mem, at)
	if err != nil || top == 0 { // a CPU that never came up has none
		return unwind.Stack{}, false, err
	}
	// Since v5.12, 951c2a51ae75 ("x86/irq/64: Adjust the per CPU irq stack
	// pointer by 8"), it points to the last word.
	if top%16 == 8 {
		top += 8
	}
	size := uint64(arch.IRQStackSize)
	if n := u.f.IRQStack.Bytes; n >= size && n <= maxThreadSize {
		size = n
	}
	if size > top {
		return unwind.Stack{}, false, fmt.Errorf("top of the stack is %#x", top)
	}
	return unwind.Stack{Kind: arch.IRQStack, Lo: mem.Virt(top - size), Hi: mem.Virt(top)}, true, nil
}

// estackKinds are the members of struct cea_exception_stacks, by prefix; the
// longer come first.
var estackKinds = []struct {
	prefix string
	kind   arch.StackKind
}{
	{"DF", arch.DFStack}, {"NMI", arch.NMIStack}, {"DB", arch.DBStack}, {"MCE", arch.MCEStack},
	{"VC2", arch.VC2Stack}, {"VC", arch.VCStack},
}

// exceptionStacks finds the stacks of the interrupt stack table: since v5.2
// struct cea_exception_stacks, which the per-CPU cea_exception_stacks points to
// (7623f37e4111); before, their tops in the TSS.
func (u *Unwinder) exceptionStacks(cpu int) ([]unwind.Stack, error) {
	st, err := structOf(&u.f.Exceptions)
	at, symErr := u.k.PerCPUSym(cpu, "cea_exception_stacks")
	if err != nil || symErr != nil {
		return u.istStacks(cpu)
	}
	base, err := mem.U64(u.k.Mem, at)
	if err != nil || base == 0 {
		return nil, err
	}
	var out []unwind.Stack
	for _, m := range st.Members {
		name, ok := strings.CutSuffix(m.Name, "_stack")
		n := m.Type.Size()
		if !ok || n == 0 || n > maxThreadSize {
			continue
		}
		for _, k := range estackKinds {
			if strings.HasPrefix(name, k.prefix) {
				lo := mem.Virt(base + m.Off)
				out = append(out, unwind.Stack{Kind: k.kind, Lo: lo, Hi: lo + mem.Virt(n)})
				break
			}
		}
	}
	return out, nil
}

// istKinds are the stacks in the order of the interrupt stack table since v2.6.38.
var istKinds = []arch.StackKind{arch.DFStack, arch.NMIStack, arch.DBStack, arch.MCEStack}

// istStackSize is EXCEPTION_STKSZ without KASAN; the debug stack had more room
// below.
const istStackSize = mem.PageSize

func (u *Unwinder) istStacks(cpu int) ([]unwind.Stack, error) {
	if !u.f.IST.OK() || u.f.IST.Size < uint64(8*len(istKinds)) {
		return nil, kernel.Unsupported("exception stacks", "struct cea_exception_stacks", "tss_struct.x86_tss.ist")
	}
	tss, err := u.k.PerCPUSym(cpu, "cpu_tss_rw", "cpu_tss", "init_tss")
	if err != nil {
		return nil, err
	}
	var out []unwind.Stack
	for i, kind := range istKinds {
		top, err := mem.U64(u.k.Mem, tss+mem.Virt(u.f.IST.Off)+mem.Virt(8*i))
		if err != nil {
			return out, err
		}
		if top > istStackSize {
			out = append(out, unwind.Stack{Kind: kind, Lo: mem.Virt(top - istStackSize), Hi: mem.Virt(top)})
		}
	}
	return out, nil
}

// The part of the address space that holds each CPU's entry area
// (CPU_ENTRY_AREA_PGD, arch/x86/include/asm/pgtable_64_types.h).
const entryAreaLo, entryAreaHi mem.Virt = 0xfffffe0000000000, 0xfffffe8000000000

// entryStack finds the stack on which a CPU arrives from user mode, by RSP0 of
// its TSS, since v4.15 (7f2590a110b8).
func (u *Unwinder) entryStack(cpu int) (unwind.Stack, bool) {
	n := u.f.EntryStack.Bytes
	tss, err := u.k.PerCPUSym(cpu, "cpu_tss_rw")
	if err != nil || !u.f.SP0.OK() || n == 0 || n > maxThreadSize {
		return unwind.Stack{}, false
	}
	top, err := mem.U64(u.k.Mem, tss+mem.Virt(u.f.SP0.Off))
	hi := mem.Virt(top)
	if err != nil || hi <= entryAreaLo || hi > entryAreaHi {
		return unwind.Stack{}, false
	}
	return unwind.Stack{Kind: arch.EntryStack, Lo: hi - mem.Virt(n), Hi: hi}, true
}
