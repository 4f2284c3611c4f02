package stack

import (
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
)

// fields are the kernel types that tell where stacks are.
type fields struct {
	// Saved registers of a task that does not run, since v4.9, 0100301bfdf5
	// ("sched/x86: Rewrite the switch_to() code"). Its flags came first from
	// v5.0 to v5.7 and in some stable kernels.
	Inactive layout.Size  `k:"struct inactive_task_frame,optional"`
	BP       layout.Field `k:"inactive_task_frame.bp,optional"`
	RetAddr  layout.Field `k:"inactive_task_frame.ret_addr,optional"`

	Stack layout.Field `k:"task_struct.stack"`
	PID   layout.Field `k:"task_struct.pid"`

	ThreadUnion layout.Size `k:"union thread_union,optional"`

	// v6.2, e57ef2ed97c1 ("x86: Put hot per CPU variables into a struct"), to v6.14.
	HotIRQ     layout.Field `k:"pcpu_hot.hardirq_stack_ptr,optional"`
	HotCurrent layout.Field `k:"pcpu_hot.current_task,optional"`
	IRQStack   layout.Size  `k:"struct irq_stack,optional"`
	// v5.2, 019b17b3ffe4 ("x86/exceptions: Add structs for exception stacks").
	Exceptions layout.Size  `k:"struct cea_exception_stacks,optional"`
	IST        layout.Field `k:"tss_struct.x86_tss.ist,optional"`
	SP0        layout.Field `k:"tss_struct.x86_tss.sp0,optional"`
	EntryStack layout.Size  `k:"struct entry_stack,optional"`

	ModORC   layout.Field `k:"module.arch.orc_unwind,optional"`
	ModORCIP layout.Field `k:"module.arch.orc_unwind_ip,optional"`
	ModORCs  layout.Field `k:"module.arch.num_orcs,optional"`
	ORCEntry layout.Size  `k:"struct orc_entry,optional"`
}

// inactive is the layout of struct inactive_task_frame, in bytes.
type inactive struct{ size, bp, retAddr uint64 }

// maxInactive bounds the structure; it has eight words at most so far.
const maxInactive = 256

// frame is the layout by the kernel's types, else the one of 5.8 and later.
func (f *fields) frame() inactive {
	n := f.Inactive.Bytes
	if f.Inactive.OK() && f.BP.OK() && f.RetAddr.OK() && n <= maxInactive &&
		f.BP.Off+8 <= n && f.RetAddr.Off+8 <= n {
		return inactive{n, f.BP.Off, f.RetAddr.Off}
	}
	return inactive{7 * 8, 5 * 8, 6 * 8}
}

func (i inactive) decode(r *arch.Regs, b []byte) {
	r.Set(arch.RBP, binary.LittleEndian.Uint64(b[i.bp:]))
	r.Set(arch.RIP, binary.LittleEndian.Uint64(b[i.retAddr:]))
}

// Bounds of a believable THREAD_SIZE: 8 KiB before v3.15, 64 KiB with KASAN.
const minThreadSize, maxThreadSize = 8 << 10, 128 << 10

// threadSize finds THREAD_SIZE: the size of union thread_union, else that of
// init_task's stack in the image (include/asm-generic/vmlinux.lds.h).
func threadSize(k *kernel.Kernel, f *fields) (bytes uint64, from string, err error) {
	ok := func(n uint64) bool { return n >= minThreadSize && n <= maxThreadSize && n&(n-1) == 0 }
	if f.ThreadUnion.OK() && ok(f.ThreadUnion.Bytes) {
		return f.ThreadUnion.Bytes, "union thread_union", nil
	}
	for _, pair := range [][2]string{{"__start_init_stack", "__end_init_stack"}, {"__start_init_task", "__end_init_task"}} {
		lo, err := k.Sym(pair[0])
		hi, err2 := k.Sym(pair[1])
		if n := uint64(hi - lo); err == nil && err2 == nil && ok(n) {
			return n, pair[0] + " to " + pair[1], nil
		}
	}
	return 0, "", kernel.Unsupported("size of kernel stacks", "union thread_union", "__end_init_stack", "__end_init_task")
}

// structOf gives the struct that a Size was bound to.
func structOf(s *layout.Size) (*ctype.Struct, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	st, ok := ctype.Strip(s.Type).(*ctype.Struct)
	if !ok {
		return nil, fmt.Errorf("%s is no struct", s.Name)
	}
	return st, nil
}
