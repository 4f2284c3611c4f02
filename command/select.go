package command

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/mem"
)

// CPUs selects processors. The zero CPUs selects none.
type CPUs struct {
	all  bool
	list []cpuRange
}

type cpuRange struct{ from, to int }

// ParseCPUs parses "1,3,5-7", "a" or "all". command names the verb in the *UsageError.
func ParseCPUs(command, s string) (CPUs, error) {
	var c CPUs
	for item := range strings.SplitSeq(s, ",") {
		if item == "a" || item == "all" {
			c.all = true
			continue
		}
		from, to, isRange := strings.Cut(item, "-")
		a, err1 := strconv.ParseUint(from, 10, 16)
		b, err2 := a, error(nil)
		if isRange {
			b, err2 = strconv.ParseUint(to, 10, 16)
		}
		if err1 != nil || err2 != nil || b < a {
			return CPUs{}, Usagef(command, "%q is no list of CPUs; write 1,3,5-7 or all", s)
		}
		c.list = append(c.list, cpuRange{int(a), int(b)})
	}
	return c, nil
}

// Has says whether cpu is selected.
func (c CPUs) Has(cpu int) bool {
	for _, r := range c.list {
		if r.from <= cpu && cpu <= r.to {
			return true
		}
	}
	return c.all
}

// TaskSel selects tasks by one word of a command line: a PID, the address of
// a task_struct, a name, or a regular expression on names.
type TaskSel struct {
	Word string
	pid  int
	addr mem.Virt
	name string
	re   *regexp.Regexp
}

// minTaskAddr is where the kernel half of the x86_64 and arm64 address spaces
// begins: a number below it cannot be the address of a task_struct.
const minTaskAddr = 1 << 63

// ParseTaskSel parses pid, task, name, \name (which is never a number) or
// 'regular expression'.
func ParseTaskSel(command, word string) (TaskSel, error) {
	s := TaskSel{Word: word, pid: -1}
	if n := len(word); n > 2 && word[0] == '\'' && word[n-1] == '\'' {
		re, err := regexp.Compile(word[1 : n-1])
		if err != nil {
			return s, Usagef(command, "%v", err)
		}
		s.re = re
		return s, nil
	}
	if name, ok := strings.CutPrefix(word, `\`); ok {
		s.name = name
		return s, nil
	}
	if pid, err := strconv.ParseUint(word, 10, 31); err == nil {
		s.pid = int(pid)
		return s, nil
	}
	if v, ok := ParseNumber(word, true); ok {
		switch {
		case v >= minTaskAddr:
			s.addr = mem.Virt(v)
			return s, nil
		case strings.HasPrefix(word, "0x") && v < 1<<31:
			s.pid = int(v)
			return s, nil
		}
	}
	s.name = word
	return s, nil
}

// ParseTaskSels parses each word.
func ParseTaskSels(command string, words []string) ([]TaskSel, error) {
	var out []TaskSel
	for _, w := range words {
		s, err := ParseTaskSel(command, w)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Exact says that the word names one task, by PID or address, so that its
// absence is an error.
func (s TaskSel) Exact() bool { return s.re == nil && s.name == "" }

// Match says whether a task with this PID, address and comm is selected.
func (s TaskSel) Match(pid int, addr mem.Virt, comm string) bool {
	switch {
	case s.re != nil:
		return s.re.MatchString(comm)
	case s.name != "":
		return s.name == comm
	case s.addr != 0:
		return s.addr == addr
	}
	return s.pid == pid
}
