package crash

import (
	"regexp"
	"strings"
	"time"

	"github.com/kinquest/inquest/kernel/printk"
)

// Message is a line of the log that tells why the kernel died.
type Message struct {
	Text string        `json:"text"`
	Time time.Duration `json:"time_ns"` // since boot
	Seq  uint64        `json:"seq"`     // of the log record
}

// panicPrefix begins the line that panic() prints (kernel/panic.c).
const panicPrefix = "Kernel panic - not syncing: "

// causes match the first line that the kernel prints of a fatal or nearly
// fatal event. Each is the wording of a printk in the file named.
var causes = []*regexp.Regexp{
	regexp.MustCompile(`^BUG: (kernel NULL pointer dereference|unable to handle|stack guard page was hit|IRQ stack guard|TASK stack guard)`), // arch/x86/mm/fault.c, kernel/traps.c
	regexp.MustCompile(`^Unable to handle kernel `),          // arch/*/mm/fault.c
	regexp.MustCompile(`^(Oops: )?general protection fault`), // arch/x86/kernel/traps.c
	regexp.MustCompile(`^(Oops: )?(divide error|double fault|invalid opcode|stack segment|bounds|int3|segment not present|invalid TSS|alignment check|coprocessor segment overrun|overflow)(:|,)`),
	regexp.MustCompile(`^PANIC: double fault`),
	regexp.MustCompile(`^kernel BUG at `),           // lib/bug.c
	regexp.MustCompile(`^kernel tried to execute `), // arch/x86/mm/fault.c
	regexp.MustCompile(`^unable to execute userspace code`),
	regexp.MustCompile(`^(watchdog: )?BUG: soft lockup`), // kernel/watchdog.c
	regexp.MustCompile(`(Watchdog detected hard LOCKUP|BUG: spinlock )`),
	regexp.MustCompile(`^(rcu: )?INFO: rcu_\w+ (self-)?detected`), // kernel/rcu/tree_stall.h
	regexp.MustCompile(`^INFO: task .* blocked for more than`),    // kernel/hung_task.c
	regexp.MustCompile(`^BUG: `),                                  // KASAN, scheduling while atomic, …
	regexp.MustCompile(`^(mce: )?\[Hardware Error\]: `),
	regexp.MustCompile(`^WARNING: `),
	regexp.MustCompile(`^sysrq: (Trigger a crash|SysRq : Trigger a crash)`),
	regexp.MustCompile(`^SysRq : (Trigger a crash|Crash)`),
	regexp.MustCompile(`^Out of memory: `),
}

// consequences are the reasons that panic() is given when something else, which
// the log tells before, was the event.
var consequences = []string{
	"Fatal exception", // also "in interrupt", "in NMI"
	"panic_on_warn set",
	"kernel: panic_on_warn set",
	"softlockup: hung tasks",
	"hung_task: blocked tasks",
	"RCU Stall",
	"Hard LOCKUP",
	"Out of memory",
	"System is deadlocked on memory",
	"Fatal Machine check", "Machine check",
	"Attempted to kill init",
	"Aiee, killing interrupt handler",
}

// window is how long before the panic its cause may lie. A panic follows an
// oops within a second, but printing a trace to a slow serial console, or
// waiting for a stalled CPU, takes longer.
const window = 60 * time.Second

// FindMessage picks the line that tells why the kernel died: by time, then by
// meaning. With a panic line the last one counts; when its reason only repeats
// that something had happened before, the first such event of the same episode
// is the message. Without a panic line the last event counts. panicLine is
// panic()'s own line, nil when there is none.
func FindMessage(records []printk.Record) (message, panicLine *Message) {
	end := len(records)
	for i := len(records) - 1; i >= 0; i-- {
		if text, ok := lineWith(&records[i], isPanic); ok {
			panicLine = newMessage(&records[i], text)
			end = i
			break
		}
	}
	if panicLine != nil && !isConsequence(panicLine.Text) {
		return panicLine, panicLine
	}
	if m := lastEvent(records[:end], panicLine); m != nil {
		return m, panicLine
	}
	return panicLine, panicLine
}

// lastEvent gives the first event of the last episode in records: events that
// follow each other before the kernel says that a trace has ended.
func lastEvent(records []printk.Record, panicLine *Message) *Message {
	var found *Message
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if panicLine != nil && panicLine.Time-r.Time > window {
			break
		}
		if found != nil && strings.HasPrefix(r.Text, "---[ end ") {
			break // what came before was another episode
		}
		if text, ok := lineWith(r, isCause); ok {
			found = newMessage(r, text)
		}
	}
	return found
}

func newMessage(r *printk.Record, text string) *Message {
	return &Message{Text: text, Time: r.Time, Seq: r.Seq}
}

// lineWith gives the first line of a record that match accepts.
func lineWith(r *printk.Record, match func(string) bool) (string, bool) {
	for _, line := range r.Lines() {
		if match(line) {
			return line, true
		}
	}
	return "", false
}

func isPanic(line string) bool { return strings.HasPrefix(line, panicPrefix) }

func isCause(line string) bool {
	for _, re := range causes {
		if re.MatchString(line) {
			return true
		}
	}
	return false
}

func isConsequence(panicLine string) bool {
	reason := strings.TrimPrefix(panicLine, panicPrefix)
	for _, c := range consequences {
		if strings.HasPrefix(reason, c) {
			return true
		}
	}
	return false
}
