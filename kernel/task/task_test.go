package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
)

const taskTypes = `
list_head 16
  0 ptr next
  8 ptr prev
thread_info 16
  8 u32 cpu
thread_struct 32
  8 u64 sp
task_struct 256
  0 thread_info thread_info
  16 u32 __state
  24 ptr stack
  32 u32 flags
  36 u32 policy
  40 list_head tasks
  56 ptr mm
  64 u32 exit_state
  68 s32 pid
  72 s32 tgid
  80 ptr real_parent
  88 ptr group_leader
  96 list_head thread_node
  112 u64 start_boottime
  120 char[16] comm
  136 ptr signal
  144 thread_struct thread
signal_struct 32
  8 list_head thread_head
`

const (
	initTask = kerneltest.Base + 0x1000
	leader   = kerneltest.Base + 0x2000
	thread   = kerneltest.Base + 0x3000
	signal0  = kerneltest.Base + 0x4000
	signal1  = kerneltest.Base + 0x4100
	idle1    = kerneltest.Base + 0x5000
)

func putTask(b *kerneltest.Builder, at mem.Virt, pid, tgid uint64, comm string, signal mem.Virt) {
	b.Put(at, "task_struct.pid", pid)
	b.Put(at, "task_struct.tgid", tgid)
	b.Bytes(at+120, []byte(comm))
	b.Put(at, "task_struct.signal", uint64(signal))
	b.Put(at, "task_struct.real_parent", uint64(initTask))
	b.Put(at, "task_struct.group_leader", uint64(at))
}

// machine is two CPUs, init_task, and a process of two threads.
func machine(t *testing.T) *kerneltest.Builder {
	b := kerneltest.New(t, 2)
	b.Types(taskTypes)
	b.Sym("init_task", initTask)
	b.Sym("idle_threads", 0)
	b.U64(kerneltest.PerCPU(0), 0)
	b.U64(kerneltest.PerCPU(1), uint64(idle1))
	putTask(b, initTask, 0, 0, "swapper/0", signal0)
	putTask(b, idle1, 0, 0, "swapper/1", signal0)
	putTask(b, leader, 41, 41, "worker", signal1)
	putTask(b, thread, 42, 41, "worker:io", signal1)
	b.Put(thread, "task_struct.group_leader", uint64(leader))
	b.Put(thread, "task_struct.__state", 2)
	b.Put(leader, "task_struct.thread_info.cpu", 1)
	b.U64(initTask+40, uint64(leader+40))
	b.U64(leader+40, uint64(initTask+40))
	b.U64(signal0+8, uint64(initTask+96))
	b.U64(initTask+96, uint64(signal0+8))
	b.U64(signal1+8, uint64(leader+96))
	b.U64(leader+96, uint64(thread+96))
	b.U64(thread+96, uint64(signal1+8))
	return b
}

func list(tab *task.Table) string {
	var out []string
	for _, t := range tab.Tasks {
		out = append(out, fmt.Sprintf("%d/%d %s %c cpu%d", t.PID, t.TGID, t.Comm, t.State.Letter(), t.CPU))
	}
	return strings.Join(out, ", ")
}

func TestLoad(t *testing.T) {
	tab, err := task.Load(context.Background(), machine(t).Kernel())
	want := "0/0 swapper/0 R cpu0, 0/0 swapper/1 R cpu0, 41/41 worker R cpu1, 42/41 worker:io D cpu0"
	if err != nil || list(tab) != want || len(tab.Problems) != 0 {
		t.Fatalf("%v\n%s\n%v", err, list(tab), tab.Problems)
	}
	if got, ok := tab.At(thread); !ok || got.GroupLeader() || got.Leader != leader {
		t.Errorf("thread: %+v", got)
	}
	if got := tab.PID(0); len(got) != 2 || !got[1].Idle {
		t.Errorf("PID 0: %+v", got)
	}
}

func TestLoadKeepsWhatItCanRead(t *testing.T) {
	b := machine(t)
	b.Lose(thread, mem.ErrExcluded)
	tab, err := task.Load(context.Background(), b.Kernel())
	if err != nil || len(tab.Tasks) != 3 || len(tab.Problems) != 1 || !errors.Is(tab.Problems[0], mem.ErrExcluded) {
		t.Fatalf("%v %s %v", err, list(tab), tab.Problems)
	}
	b = machine(t)
	b.U64(leader+40, uint64(leader+40)) // the list runs in a circle
	tab, err = task.Load(context.Background(), b.Kernel())
	if err != nil || len(tab.Tasks) != 4 || len(tab.Problems) != 1 {
		t.Fatalf("%v %s %v", err, list(tab), tab.Problems)
	}
	b = machine(t)
	b.Lose(initTask, mem.ErrNotStored)
	b.Lose(idle1, mem.ErrNotStored)
	if tab, err := task.Load(context.Background(), b.Kernel()); err == nil {
		t.Errorf("without init_task: %s", list(tab))
	}
}

func TestTaskOutlivesItsParentsPage(t *testing.T) {
	b := machine(t)
	lost := kerneltest.Base + 0x9000
	b.Put(leader, "task_struct.real_parent", uint64(lost))
	b.Lose(lost, mem.ErrExcluded)
	tab, err := task.Load(context.Background(), b.Kernel())
	if err != nil || len(tab.Tasks) != 4 {
		t.Fatalf("%v %s %v", err, list(tab), tab.Problems)
	}
	if got, _ := tab.At(leader); got.PPID != task.UnknownPID {
		t.Errorf("parent of an unreadable task_struct is PID %d", got.PPID)
	}
}

func TestLoadWithoutTypes(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Sym("init_task", initTask)
	if _, err := task.Load(context.Background(), b.Kernel()); err == nil {
		t.Error("tasks without types")
	}
}

func TestMemory(t *testing.T) {
	const mm = kerneltest.Base + 0x8000
	b := kerneltest.New(t, 2)
	b.Types("percpu_counter 16\n 0 s64 count\n 8 ptr counters\nmm_struct 128\n 0 u64 total_vm\n 8 percpu_counter[4] rss_stat\n")
	// 10 file pages, 20 anonymous of which CPU 1 holds back -3, 99 swapped, 5 shared.
	b.U64(mm, 1000, 10, 0, 23, 0x40, 99, 0, 5, 0)
	b.Bytes(kerneltest.PerCPU(1)+0x40, []byte{0xfd, 0xff, 0xff, 0xff})
	m := memory(t, b, mm)
	if m != (task.Memory{VirtualPages: 1000, ResidentPages: 35}) {
		t.Errorf("per-CPU counters: %+v", m)
	}
	b = kerneltest.New(t, 2)
	b.Types("mm_rss_stat 32\n 0 u64[4] count\nmm_struct 128\n 0 u64 total_vm\n 8 mm_rss_stat rss_stat\n" +
		"percpu_counter 16\n 0 s64 count\n 8 ptr counters\n")
	b.U64(mm, 1000, 10, 20, 99, 5)
	if m := memory(t, b, mm); m != (task.Memory{VirtualPages: 1000, ResidentPages: 35}) {
		t.Errorf("atomic counters: %+v", m)
	}
}

func memory(t *testing.T, b *kerneltest.Builder, mm mem.Virt) task.Memory {
	t.Helper()
	r, err := task.NewMemoryReader(b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Of(&task.Task{MM: mm})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
