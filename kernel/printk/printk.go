// Package printk reads the kernel's log from memory: the lock-less ring buffer
// of v5.10 and later, and the record buffer of v3.5 to v5.9.
package printk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kinquest/inquest/kernel"
)

// Record is one message of the kernel log.
type Record struct {
	Seq      uint64        `json:"seq"`
	Time     time.Duration `json:"time_ns"` // since boot, by the kernel's local clock
	Level    uint8         `json:"level"`   // 0 emergency to 7 debug
	Facility uint8         `json:"facility"`
	Caller   Caller        `json:"caller,omitzero"`
	Text     string        `json:"text"` // may hold several lines; raw bytes of the kernel
	// Subsystem and Device are the dictionary of dev_printk messages.
	Subsystem string `json:"subsystem,omitempty"`
	Device    string `json:"device,omitempty"`
	// Cut says that the text was longer than what the buffer still holds.
	Cut bool `json:"cut,omitempty"`
	// Open says that the writer had not finished the record when the dump was taken.
	Open bool `json:"open,omitempty"`
}

// Caller tells who printed a record, where the kernel notes that
// (CONFIG_PRINTK_CALLER): a thread or a CPU.
type Caller struct {
	Known bool   `json:"known"`
	CPU   bool   `json:"is_cpu"`
	ID    uint32 `json:"id"` // thread's PID, or CPU number
}

// callerCPU is the bit of caller_id that tells a CPU from a thread
// (kernel/printk/printk.c, printk_caller_id).
const callerCPU = 0x80000000

// String gives the caller as the kernel's console does: "T123" or "C1".
func (c Caller) String() string {
	switch {
	case !c.Known:
		return ""
	case c.CPU:
		return fmt.Sprintf("C%d", c.ID)
	}
	return fmt.Sprintf("T%d", c.ID)
}

// Log is the log of one kernel.
type Log struct {
	Records []Record
	// Format is the buffer's shape: "printk_ringbuffer" or "log_buf records".
	Format string
	// Problems are records that could not be read.
	Problems []error
}

// Limits against forged sizes.
const (
	maxRecords = 1 << 22   // log_buf_len=2G with the smallest records would be 64M; 4M lines are beyond reading
	maxLogBuf  = 128 << 20 // bytes; log_buf_len= of more than 16 MiB is hardly ever set
	maxRing    = 20        // descriptors, as a power of two: 112 MiB with their infos
	maxText    = 64 << 10  // text_len is 16 bits wide
)

// Load reads the whole log, oldest record first. Records that cannot be read
// become problems; the error is for a log that cannot be found at all.
func Load(ctx context.Context, k *kernel.Kernel) (*Log, error) {
	switch { // the shape of the newest kernel comes first
	case k.HasSym("prb"): // since v5.10, 896fbe20b4e2 ("printk: use the lockless ringbuffer")
		return loadRing(ctx, k)
	case k.HasSym("log_first_idx"): // since v3.5, 7ff9554bb578 ("printk: convert byte-buffer to variable-length record buffer")
		return loadRecords(ctx, k)
	}
	return nil, kernel.Unsupported("kernel log", "prb", "log_first_idx")
}

// Lines splits the text of a record, as the console shows it.
func (r *Record) Lines() []string { return strings.Split(r.Text, "\n") }

func (l *Log) problem(format string, args ...any) {
	l.Problems = append(l.Problems, fmt.Errorf(format, args...))
}
