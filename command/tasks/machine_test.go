package tasks

import (
	"strings"
	"testing"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/mem"
)

const machineTypes = `
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
  176 u64 utime
  184 u64 stime
signal_struct 32
  8 list_head thread_head
rq 64
  0 ptr curr
  8 ptr idle
  16 u64 clock
mm_rss_stat 32
  0 u64[4] count
mm_struct 64
  0 u64 total_vm
  8 mm_rss_stat rss_stat
  40 ptr pgd
percpu_counter 16
  0 s64 count
  8 ptr counters
pglist_data 16
  0 u64 node_present_pages
`

const (
	initTask = kerneltest.Base + 0x1000
	worker   = kerneltest.Base + 0x2000
	helper   = kerneltest.Base + 0x3000
	signal0  = kerneltest.Base + 0x4000
	signal1  = kerneltest.Base + 0x4100
	signal2  = kerneltest.Base + 0x4200
	someMM   = kerneltest.Base + 0x5000
	panicCPU = kerneltest.Base + 0x6000
)

// machine is one CPU on which the task worker panicked, beside the stopped
// kernel thread helper.
func machine(t *testing.T) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Types(machineTypes)
	b.Sym("init_task", initTask)
	b.Sym("runqueues", 0x40)
	b.Sym("current_task", 0x20)
	b.Sym("panic_cpu", panicCPU)
	b.Sym("contig_page_data", kerneltest.Base+0x6100)
	b.Put(kerneltest.Base+0x6100, "pglist_data.node_present_pages", 1000)
	put := func(at, signal mem.Virt, pid uint64, comm string) {
		b.Put(at, "task_struct.pid", pid)
		b.Put(at, "task_struct.tgid", pid)
		b.Bytes(at+120, []byte(comm))
		b.Put(at, "task_struct.signal", uint64(signal))
		b.Put(at, "task_struct.real_parent", uint64(initTask))
		b.Put(at, "task_struct.group_leader", uint64(at))
		b.U64(signal+8, uint64(at+96))
		b.U64(at+96, uint64(signal+8))
	}
	put(initTask, signal0, 0, "swapper/0")
	put(worker, signal1, 41, "worker")
	put(helper, signal2, 7, "kthread")
	b.U64(initTask+40, uint64(worker+40))
	b.U64(worker+40, uint64(helper+40))
	b.U64(helper+40, uint64(initTask+40))
	b.Put(worker, "task_struct.mm", uint64(someMM))
	b.Put(someMM, "mm_struct.total_vm", 565)
	b.U64(someMM+8, 100, 20, 0, 3)
	b.Put(helper, "task_struct.__state", 4)
	b.Put(helper, "task_struct.flags", 0x00200000)
	b.Put(kerneltest.PerCPU(0)+0x40, "rq.curr", uint64(worker))
	b.Put(kerneltest.PerCPU(0)+0x40, "rq.idle", uint64(initTask))
	b.U64(kerneltest.PerCPU(0)+0x20, uint64(worker))
	return b
}

func text(t *testing.T, b *kerneltest.Builder, line string) string {
	t.Helper()
	res, err := clitest.Answer(t, Commands(), b.Kernel(), line)
	return clitest.Text(t, res, err)
}

func TestPs(t *testing.T) {
	b := machine(t)
	for line, want := range map[string]string{
		"ps -H": "        0       0   0  ffffffff81001000  RU   0.0        0        0  [swapper/0]\n" +
			"        7       0   0  ffffffff81003000  ST   0.0        0        0  [kthread]\n" +
			">      41       0   0  ffffffff81002000  RU  12.3     2260      492  worker\n",
		"ps -H -k -I":                  "        7       0   0  ffffffff81003000  ST   0.0        0        0  [kthread]\n",
		"ps -HA":                       ">      41       0   0  ffffffff81002000  RU  12.3     2260      492  worker\n",
		"ps -H nobody":                 "",
		"ps -S":                        "  RU: 2\n  ST: 1\n",
		"ps 4242":                      "      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM\nerror: no task 4242\n",
		"foreach ST ps -H":             "        7       0   0  ffffffff81003000  ST   0.0        0        0  [kthread]\n",
		"foreach user ps -H":           ">      41       0   0  ffffffff81002000  RU  12.3     2260      492  worker\n",
		"foreach 4242 ps":              "error: no task 4242\n",
		"foreach active kernel ps":     "      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM\n",
		`foreach '^kth' gleader ps -g`: "PID: 7        TASK: ffffffff81003000  CPU: 0    COMMAND: \"kthread\"\n  (no threads)\n",
	} {
		if got := text(t, b, line); got != want {
			t.Errorf("%s:\n%s", line, got)
		}
	}
}

func TestLostMemoryIsNotZero(t *testing.T) {
	b := machine(t)
	b.Lose(someMM, mem.ErrExcluded)
	got := text(t, b, "ps -H worker")
	want := ">      41       0   0  ffffffff81002000  RU     ?        ?        ?  worker\n" +
		"lacks memory of PID 41: mm_struct of task 41: mm_struct.total_vm of 0xffffffff81005000: read virt 0xffffffff81005000: page excluded from the dump\n"
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestSet(t *testing.T) {
	b := machine(t)
	block := func(pid, comm, addr, state string) string {
		return "    PID: " + pid + "\nCOMMAND: \"" + comm + "\"\n   TASK: " + addr + "  [THREAD_INFO: " + addr + "]\n    CPU: 0\n  STATE: " + state + "\n"
	}
	panicked := block("41", "worker", "ffffffff81002000", "TASK_RUNNING (PANIC)")
	for line, want := range map[string]string{
		"set":                  panicked,
		"set -p":               panicked,
		"set -c 0":             panicked,
		"set 7":                block("7", "kthread", "ffffffff81003000", "TASK_STOPPED"),
		"set ffffffff81003000": block("7", "kthread", "ffffffff81003000", "TASK_STOPPED"),
		"set 4242":             "error: no task 4242\n",
		"set -c 5":             "error: no CPU 5\n",
		"set hex":              "output radix: 16 (hex)\n",
	} {
		if got := text(t, b, line); got != want {
			t.Errorf("%s:\n%s", line, got)
		}
	}
	b.Bytes(panicCPU, []byte{0xff, 0xff, 0xff, 0xff}) // no CPU: the system was running
	if got, want := text(t, b, "set"), strings.Replace(panicked, "PANIC", "ACTIVE", 1); got != want {
		t.Errorf("of a running system:\n%s", got)
	}
	if got := text(t, b, "set -p"); got != "error: no task is known to have panicked\n" {
		t.Errorf("of a running system: %s", got)
	}
}

func TestSetLastsForTheSession(t *testing.T) {
	env := &command.Env{Kernel: machine(t).Kernel()}
	tab, err := command.NewTable(Commands())
	if err != nil {
		t.Fatal(err)
	}
	for line, pid := range map[string]int32{"set 7": 7, "set -p": 41} {
		job, err := tab.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := job(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		if cur, err := env.Current(t.Context()); err != nil || cur.PID != pid {
			t.Errorf("%s: %v, %v", line, cur, err)
		}
	}
}

func TestUserSpace(t *testing.T) {
	env := &command.Env{Kernel: machine(t).Kernel()}
	tab, err := env.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, _ := tab.At(helper)
	if _, err := env.UserSpace(k); err == nil {
		t.Error("a kernel thread has user memory")
	}
	w, _ := tab.At(worker)
	if s, err := env.UserSpace(w); s != nil && err == nil && s.Root() != 0 {
		t.Errorf("root %v", s.Root())
	}
}

func TestTasksOfAKernelWithoutTypes(t *testing.T) {
	b := kerneltest.New(t, 1)
	for _, line := range []string{"ps", "bt", "set", "foreach bt"} {
		if res, err := clitest.Answer(t, Commands(), b.Kernel(), line); res != nil || err == nil {
			t.Errorf("%s: %v, %v", line, res, err)
		}
	}
}
