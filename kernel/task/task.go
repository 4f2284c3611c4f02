// Package task reads the kernel's tasks: who they are, what they do and where
// their stacks and memory lie.
package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/klib"
	"github.com/kinquest/inquest/mem"
)

// Flags of task_struct.flags (include/linux/sched.h). KThread has kept its
// value since v2.6.27.
const (
	FlagExiting = 0x00000004 // PF_EXITING
	FlagKThread = 0x00200000 // PF_KTHREAD
)

// Task is one thread of execution, a task_struct.
type Task struct {
	Addr   mem.Virt `json:"addr"`
	PID    int32    `json:"pid"`  // of the thread, in the initial namespace
	TGID   int32    `json:"tgid"` // of the process
	PPID   int32    `json:"ppid"` // tgid of the real parent; UnknownPID when it cannot be read
	Comm   string   `json:"comm"`
	State  State    `json:"state"`
	CPU    int      `json:"cpu"`   // where it runs or last ran
	Flags  uint64   `json:"flags"` // PF_*
	Policy uint64   `json:"policy"`

	Stack  mem.Virt `json:"stack"`       // lowest address of the kernel stack
	SP     mem.Virt `json:"sp"`          // saved stack pointer of a task that does not run (thread.sp)
	MM     mem.Virt `json:"mm"`          // mm_struct, 0 for kernel threads
	Leader mem.Virt `json:"leader"`      // task_struct of the thread group's leader
	Parent mem.Virt `json:"real_parent"` // task_struct of the real parent
	Idle   bool     `json:"idle"`        // the idle task of its CPU

	// StartTime is when the task was started, in ns since boot (start_boottime,
	// before v5.5 real_start_time); StartKnown says whether it could be read.
	StartTime  uint64 `json:"start_time_ns"`
	StartKnown bool   `json:"start_known"`
}

// UnknownPID stands for a parent whose task_struct the dump has lost.
const UnknownPID = -1

// Kernel says whether the task is a kernel thread.
func (t *Task) Kernel() bool { return t.Flags&FlagKThread != 0 || t.Idle }

// GroupLeader says whether the task leads its thread group.
func (t *Task) GroupLeader() bool { return t.Leader == t.Addr }

// fields are the members of task_struct that a Task is made of.
type fields struct {
	Tasks     layout.Field `k:"task_struct.tasks"`
	PID       layout.Field `k:"task_struct.pid"`
	TGID      layout.Field `k:"task_struct.tgid"`
	Comm      layout.Field `k:"task_struct.comm"`
	State     layout.Field `k:"task_struct.__state|task_struct.state"` // renamed in v5.14, 2f064a59a11f
	ExitState layout.Field `k:"task_struct.exit_state"`
	// task_struct.cpu moved into thread_info in v5.16, bcf9033e5449
	// ("sched: move CPU field back into thread_info if THREAD_INFO_IN_TASK=y").
	CPU        layout.Field `k:"task_struct.thread_info.cpu|task_struct.cpu"`
	Flags      layout.Field `k:"task_struct.flags"`
	Policy     layout.Field `k:"task_struct.policy"`
	Stack      layout.Field `k:"task_struct.stack"`
	SP         layout.Field `k:"task_struct.thread.sp"`
	MM         layout.Field `k:"task_struct.mm"`
	Leader     layout.Field `k:"task_struct.group_leader"`
	RealParent layout.Field `k:"task_struct.real_parent"`
	Signal     layout.Field `k:"task_struct.signal"`
	// start_boottime since v5.5, cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime").
	Start layout.Field `k:"task_struct.start_boottime|task_struct.real_start_time,optional"`
	// Threads hang on signal_struct since v3.14, 0c740d0afc3b ("introduce
	// for_each_thread()"); thread_group is gone since v6.7, 8e1f385104ac.
	ThreadNode layout.Field `k:"task_struct.thread_node"`
	ThreadHead layout.Field `k:"signal_struct.thread_head"`
}

// Table is the list of tasks of one kernel.
type Table struct {
	Tasks []Task // idle tasks first, then by the kernel's own list order
	// Problems are what kept the list from being complete or exact.
	Problems []error

	k      *kernel.Kernel
	f      fields
	states stateMap
	byAddr map[mem.Virt]int
	byPID  map[int32][]int
}

// MaxTasks bounds the task walk: the kernel's own limit of PIDs (PID_MAX_LIMIT,
// include/linux/threads.h) on 64-bit machines.
const MaxTasks = 4 << 20

// errTooMany ends a walk over more tasks than a kernel can have.
var errTooMany = errors.New("more tasks than a kernel can have")

// Load walks the task list from init_task and every thread group in it, and
// adds the idle tasks. A list that breaks off gives the tasks before the break
// and a problem; the error is for a kernel of which no task can be read.
func Load(ctx context.Context, k *kernel.Kernel) (*Table, error) {
	t := &Table{k: k, byAddr: map[mem.Virt]int{}, byPID: map[int32][]int{}}
	if err := k.Bind(&t.f); err != nil {
		return nil, fmt.Errorf("task list: %w", err)
	}
	init, err := k.Sym("init_task")
	if err != nil {
		return nil, fmt.Errorf("task list: %w", err)
	}
	t.states = newStateMap(k)
	t.addIdle(init)
	head := init + mem.Virt(t.f.Tasks.Off)
	for node, err := range klib.List(k.Mem, head) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && len(t.Tasks) >= MaxTasks {
			err = errTooMany
		}
		if err != nil {
			t.problem("task list", err)
			break
		}
		t.addGroup(node - mem.Virt(t.f.Tasks.Off))
	}
	if len(t.Tasks) == 0 {
		return nil, fmt.Errorf("task list: %w", errors.Join(t.Problems...))
	}
	return t, ctx.Err()
}

func (t *Table) problem(what string, err error) {
	t.Problems = append(t.Problems, fmt.Errorf("%s: %w", what, err))
}

// addIdle adds the idle task of each CPU; that of the boot CPU is init_task.
func (t *Table) addIdle(init mem.Virt) {
	for _, cpu := range t.k.PossibleCPUs() {
		at := init
		// idle_threads holds them since v3.5, 29d5e0476e1c ("smp: Provide generic idle thread allocation").
		if p, err := t.k.PerCPUSym(cpu, "idle_threads"); err == nil {
			v, err := mem.U64(t.k.Mem, p)
			if err != nil {
				t.problem(fmt.Sprintf("idle task of CPU %d", cpu), err)
				continue
			}
			if v != 0 {
				at = mem.Virt(v)
			} else if cpu != 0 {
				continue // a possible CPU that never came up
			}
		}
		if err := t.add(at, true); err != nil {
			t.problem(fmt.Sprintf("idle task of CPU %d", cpu), err)
		}
	}
}

// addGroup adds all threads of the group that leader leads. What cannot be read
// of it becomes a problem: the list goes on to the other groups.
func (t *Table) addGroup(leader mem.Virt) {
	if err := t.add(leader, false); err != nil {
		t.problem("task list", err)
	}
	signal, err := t.f.Signal.Read(t.k.Mem, leader)
	if err != nil {
		t.problem(fmt.Sprintf("threads of task %s", leader), err)
		return
	}
	if signal == 0 { // a task that is being released is the last of its group
		return
	}
	for node, err := range klib.List(t.k.Mem, mem.Virt(signal)+mem.Virt(t.f.ThreadHead.Off)) {
		if err == nil {
			err = t.add(node-mem.Virt(t.f.ThreadNode.Off), false)
		}
		if err != nil {
			t.problem(fmt.Sprintf("threads of task %s", leader), err)
			return
		}
	}
}

// add reads the task at addr unless the table has it.
func (t *Table) add(addr mem.Virt, idle bool) error {
	if _, ok := t.byAddr[addr]; ok {
		return nil
	}
	if len(t.Tasks) >= MaxTasks {
		return errTooMany
	}
	task, err := t.read(addr)
	if err != nil {
		return fmt.Errorf("task %s: %w", addr, err)
	}
	task.Idle = idle
	t.byAddr[addr] = len(t.Tasks)
	t.byPID[task.PID] = append(t.byPID[task.PID], len(t.Tasks))
	t.Tasks = append(t.Tasks, task)
	return nil
}

// read decodes the task_struct at addr.
func (t *Table) read(addr mem.Virt) (Task, error) {
	r := layout.NewReader(t.k.Mem, addr)
	task := Task{
		Addr:   addr,
		PID:    int32(r.Uint(&t.f.PID)),
		TGID:   int32(r.Uint(&t.f.TGID)),
		Comm:   r.Text(&t.f.Comm),
		State:  t.states.state(uint32(r.Uint(&t.f.State)) | uint32(r.Uint(&t.f.ExitState))),
		CPU:    int(uint32(r.Uint(&t.f.CPU))),
		Flags:  uint64(uint32(r.Uint(&t.f.Flags))),
		Policy: uint64(uint32(r.Uint(&t.f.Policy))),
		Stack:  r.Ptr(&t.f.Stack),
		SP:     r.Ptr(&t.f.SP),
		MM:     r.Ptr(&t.f.MM),
		Leader: r.Ptr(&t.f.Leader),
		Parent: r.Ptr(&t.f.RealParent),
	}
	if t.f.Start.OK() && t.f.Start.Size == 8 {
		task.StartTime = r.Uint(&t.f.Start)
		task.StartKnown = r.Err() == nil
	}
	if err := r.Err(); err != nil {
		return task, err
	}
	if task.Parent != 0 {
		ppid, err := t.f.TGID.Read(t.k.Mem, task.Parent)
		if task.PPID = int32(ppid); err != nil {
			task.PPID = UnknownPID
		}
	}
	return task, nil
}

// At gives the task whose task_struct is at addr.
func (t *Table) At(addr mem.Virt) (*Task, bool) {
	i, ok := t.byAddr[addr]
	if !ok {
		return nil, false
	}
	return &t.Tasks[i], true
}

// PID gives the tasks with that PID: one, or all idle tasks for 0.
func (t *Table) PID(pid int32) []*Task {
	var out []*Task
	for _, i := range t.byPID[pid] {
		out = append(out, &t.Tasks[i])
	}
	return out
}

// Read decodes a task_struct that is not in the table.
func (t *Table) Read(addr mem.Virt) (Task, error) { return t.read(addr) }
