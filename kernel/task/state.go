package task

import (
	"math/bits"
	"strings"

	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// State is a task's scheduling state: task_struct.__state and exit_state
// joined, as the bits of include/linux/sched.h.
type State uint32

// Bits of a State since v4.14, 8ef9925b02c2 ("sched/debug: Add explicit
// TASK_PARKED printing") and its series.
const (
	Running         State = 0
	Interruptible   State = 0x1
	Uninterruptible State = 0x2
	Stopped         State = 0x4
	Traced          State = 0x8
	ExitDead        State = 0x10
	ExitZombie      State = 0x20
	Parked          State = 0x40
	Dead            State = 0x80
	WakeKill        State = 0x100
	Waking          State = 0x200
	NoLoad          State = 0x400
	New             State = 0x800
	RTLockWait      State = 0x1000
	Freezable       State = 0x2000
	FreezableUnsafe State = 0x4000
	Frozen          State = 0x8000

	// Idle is how kernel threads wait without adding to the load average.
	Idle = Uninterruptible | NoLoad
	// report holds the bits that /proc shows (C TASK_REPORT).
	report = Interruptible | Uninterruptible | Stopped | Traced | ExitDead | ExitZombie | Parked
)

var stateNames = []struct {
	bit  State
	name string
}{
	{Interruptible, "TASK_INTERRUPTIBLE"}, {Uninterruptible, "TASK_UNINTERRUPTIBLE"},
	{Stopped, "TASK_STOPPED"}, {Traced, "TASK_TRACED"}, {ExitDead, "EXIT_DEAD"},
	{ExitZombie, "EXIT_ZOMBIE"}, {Parked, "TASK_PARKED"}, {Dead, "TASK_DEAD"},
	{WakeKill, "TASK_WAKEKILL"}, {Waking, "TASK_WAKING"}, {NoLoad, "TASK_NOLOAD"},
	{New, "TASK_NEW"}, {RTLockWait, "TASK_RTLOCK_WAIT"}, {Freezable, "TASK_FREEZABLE"},
	{FreezableUnsafe, "TASK_FREEZABLE_UNSAFE"}, {Frozen, "TASK_FROZEN"},
}

// String gives the bits' names joined by "|", TASK_RUNNING for none.
func (s State) String() string {
	if s == Running {
		return "TASK_RUNNING"
	}
	var names []string
	for _, n := range stateNames {
		if s&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return "(unknown)"
	}
	return strings.Join(names, "|")
}

// Letter is the state as /proc/PID/stat shows it: R S D T t X Z P or I
// (C task_state_index, include/linux/sched.h).
func (s State) Letter() byte {
	switch {
	case s&Idle == Idle && s&(ExitDead|ExitZombie) == 0:
		return 'I'
	case s&(RTLockWait|Frozen) != 0: // these count as uninterruptible
		return 'D'
	}
	return "RSDTtXZP"[bits.Len32(uint32(s&report))]
}

// Short is the state as crash's ps shows it: RU IN UN ST TR DE ZO PA ID NE WA.
func (s State) Short() string {
	switch {
	case s&(ExitDead|Dead) != 0 && s&ExitZombie == 0:
		return "DE"
	case s&New != 0:
		return "NE"
	case s&Waking != 0:
		return "WA"
	}
	return map[byte]string{
		'R': "RU", 'S': "IN", 'D': "UN", 'T': "ST", 't': "TR", 'X': "DE", 'Z': "ZO", 'P': "PA", 'I': "ID",
	}[s.Letter()]
}

// stateMap turns the bits of kernels before v4.14 into those of State.
type stateMap []State

// oldStateWord maps the words of task_state_array to bits.
var oldStateWord = map[string]State{
	"sleeping": Interruptible, "disk sleep": Uninterruptible, "stopped": Stopped,
	"tracing stop": Traced, "dead": ExitDead, "zombie": ExitZombie, "parked": Parked,
	"wakekill": WakeKill, "waking": Waking,
}

// maxStateWords bounds task_state_array, which has never had more than 12 words.
const maxStateWords = 12

// newStateMap learns the meaning of the state bits from the kernel's own
// names for them (task_state_array, fs/proc/array.c): word i names bit i-1.
// Where the array cannot be read the bits of v4.14 and later are taken.
func newStateMap(k *kernel.Kernel) stateMap {
	at, err := k.Sym("task_state_array")
	if err != nil {
		return nil
	}
	var m stateMap
	for i := 1; i < maxStateWords; i++ {
		p, err := mem.U64(k.Mem, at+mem.Virt(i*8))
		if err != nil {
			break
		}
		s, err := mem.CString(k.Mem, mem.Virt(p), 32)
		word, ok := strings.CutSuffix(s, ")")
		_, word, ok2 := strings.Cut(word, "(")
		bit, known := oldStateWord[word]
		if err != nil || !ok || !ok2 || !known {
			break
		}
		if word == "dead" && i == 7 { // "x (dead)" of v2.6.33 to v4.13 is TASK_DEAD
			bit = Dead
		}
		m = append(m, bit)
	}
	if len(m) < 4 || m[0] != Interruptible || m[1] != Uninterruptible {
		return nil
	}
	return m
}

// state joins the raw words of a task. Bits that the map does not name are
// kept as they are.
func (m stateMap) state(raw uint32) State {
	var s State
	for i, bit := range m {
		if raw&(1<<i) != 0 {
			s |= bit
			raw &^= 1 << i
		}
	}
	return s | State(raw)
}
