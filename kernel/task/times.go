package task

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
)

// Times is the CPU time that a task used, in nanoseconds.
type Times struct {
	User   uint64 `json:"utime_ns"`
	System uint64 `json:"stime_ns"`
}

// TimeReader reads when and for how long tasks ran.
type TimeReader struct {
	k *kernel.Kernel
	f timeFields
}

type timeFields struct {
	User   layout.Field `k:"task_struct.utime"` // in ns since v4.11, 5613fda9a503
	System layout.Field `k:"task_struct.stime"`
	// Kernels without CONFIG_SCHED_INFO do not note it.
	LastArrival layout.Field `k:"task_struct.sched_info.last_arrival,optional"`
	Clock       layout.Field `k:"rq.clock"`
}

// NewTimeReader binds the members it takes.
func NewTimeReader(k *kernel.Kernel) (*TimeReader, error) {
	r := &TimeReader{k: k}
	if err := k.Bind(&r.f); err != nil {
		return nil, fmt.Errorf("times of tasks: %w", err)
	}
	return r, nil
}

// Of gives the CPU time of a task.
func (r *TimeReader) Of(t *Task) (Times, error) {
	m := layout.NewReader(r.k.Mem, t.Addr)
	out := Times{User: m.Uint(&r.f.User), System: m.Uint(&r.f.System)}
	if err := m.Err(); err != nil {
		return Times{}, fmt.Errorf("times of task %d: %w", t.PID, err)
	}
	return out, nil
}

// LastArrival gives when the task was last put on a CPU, in ns of that CPU's
// scheduler clock (task_struct.sched_info.last_arrival); 0 if never.
func (r *TimeReader) LastArrival(t *Task) (uint64, error) {
	if !r.f.LastArrival.OK() {
		return 0, kernel.Unsupported("last run of tasks", "task_struct.sched_info.last_arrival")
	}
	v, err := r.f.LastArrival.Read(r.k.Mem, t.Addr)
	if err != nil {
		return 0, fmt.Errorf("last run of task %d: %w", t.PID, err)
	}
	return v, nil
}

// Clock gives the scheduler's clock of a CPU in ns (C rq.clock), as of its last
// update.
func (r *TimeReader) Clock(cpu int) (uint64, error) {
	rq, err := r.k.PerCPUSym(cpu, "runqueues")
	if err != nil {
		return 0, err
	}
	v, err := r.f.Clock.Read(r.k.Mem, rq)
	if err != nil {
		return 0, fmt.Errorf("run queue of CPU %d: %w", cpu, err)
	}
	return v, nil
}
