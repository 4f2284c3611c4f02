package truth

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Frame is one entry of a call trace as the kernel prints it.
type Frame struct {
	Func   string
	Off    uint64
	Size   uint64
	Module string // "" for vmlinux
	Regs   bool   // from a RIP line: where an exception or interrupt came
}

func (f Frame) String() string {
	s := fmt.Sprintf("%s+%#x/%#x", f.Func, f.Off, f.Size)
	if f.Module != "" {
		s += " [" + f.Module + "]"
	}
	return s
}

// A Trace is a call trace of the console, without its "?" entries.
type Trace struct {
	CPU, PID int
	Comm     string
	RIP      *Frame // where the kernel was, when an exception made it print
	Frames   []Frame
	Guessed  int // how many "?" entries were left out
	line     int
}

// A Console is what matters of a console log.
type Console struct {
	// Panic is the text after "Kernel panic - not syncing: ", "" if there was none.
	Panic     string
	Traces    []Trace
	panicLine int
}

var (
	stampRE  = regexp.MustCompile(`^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?`)
	frameRE  = regexp.MustCompile(`^([A-Za-z_][\w.$]*)\+0x([0-9a-f]+)/0x([0-9a-f]+)(?: \[([\w-]+)[^\]]*\])?$`)
	headerRE = regexp.MustCompile(`^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Kdump: loaded )?(?:Tainted|Not tainted)`)
	panicRE  = regexp.MustCompile(`^Kernel panic - not syncing: (.*)`)
	ripRE    = regexp.MustCompile(`^RIP: 0010:(.*)`)
	markRE   = regexp.MustCompile(`^</?[A-Z0-9_#]+>$`)
)

// registerRE is a line of the registers that stand within a trace.
var registerRE = regexp.MustCompile(`^(RIP|RSP|R[A-Z0-9]{2}|Code|CR2|DR0|FS|GS|CS|PKRU|ORIG_RAX)\b ?[:0-9]`)

func parseFrame(s string) (Frame, bool) {
	m := frameRE.FindStringSubmatch(s)
	if m == nil {
		return Frame{}, false
	}
	off, errOff := strconv.ParseUint(m[2], 16, 64)
	size, errSize := strconv.ParseUint(m[3], 16, 64)
	return Frame{Func: m[1], Off: off, Size: size, Module: m[4]}, errOff == nil && errSize == nil
}

// ParseConsole finds the panic and the call traces of a console log.
func ParseConsole(text string) Console {
	c := Console{panicLine: -1}
	var at Trace // what the lines before a trace said of it
	in := false
	n := -1
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(stampRE.ReplaceAllString(strings.TrimRight(line, "\r\n"), ""))
		if in {
			if in = c.Traces[len(c.Traces)-1].take(line); in {
				continue
			}
		}
		if m := panicRE.FindStringSubmatch(line); m != nil && c.Panic == "" {
			c.Panic, c.panicLine = m[1], n
		} else if m := headerRE.FindStringSubmatch(line); m != nil {
			at = Trace{Comm: m[3]}
			at.CPU, _ = strconv.Atoi(m[1]) // digits, by the expression
			at.PID, _ = strconv.Atoi(m[2])
		} else if m := ripRE.FindStringSubmatch(line); m != nil {
			if f, ok := parseFrame(m[1]); ok {
				f.Regs = true
				at.RIP = &f
			}
		} else if line == "Call Trace:" {
			at.line, in = n, true
			c.Traces = append(c.Traces, at)
			at.RIP = nil
		}
	}
	return c
}

// take adds a line to a trace; it says false for a line that ends it.
func (t *Trace) take(line string) bool {
	if guess, ok := strings.CutPrefix(line, "? "); ok {
		_, ok := parseFrame(guess)
		t.Guessed++
		return ok
	}
	if f, ok := parseFrame(line); ok {
		t.Frames = append(t.Frames, f)
		return true
	}
	if m := ripRE.FindStringSubmatch(line); m != nil {
		f, ok := parseFrame(m[1])
		if ok {
			f.Regs = true
			t.Frames = append(t.Frames, f)
		}
		return ok
	}
	return line != "</TASK>" && (markRE.MatchString(line) || registerRE.MatchString(line))
}

// PanicTrace is the call trace of the panic: the one printed after its
// message, else (an oops) the last one before it.
func (c Console) PanicTrace() (Trace, bool) {
	for _, t := range c.Traces {
		if c.panicLine >= 0 && t.line > c.panicLine {
			return t, true
		}
	}
	if c.panicLine < 0 || len(c.Traces) == 0 {
		return Trace{}, false
	}
	return c.Traces[len(c.Traces)-1], true
}
