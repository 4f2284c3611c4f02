package truth

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseModules reads /proc/modules.
func ParseModules(text string) ([]Module, error) {
	var out []Module
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 {
			return nil, fmt.Errorf("line of /proc/modules: %q", line)
		}
		size, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line of /proc/modules: %q: %w", line, err)
		}
		addr, err := strconv.ParseUint(f[5], 0, 64)
		if err != nil {
			return nil, fmt.Errorf("line of /proc/modules: %q: %w", line, err)
		}
		out = append(out, Module{f[0], size, addr})
	}
	return out, nil
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 everywhere Linux runs.
const clockTick = time.Second / 100

// ParseStat reads lines of a tgid and the thread's /proc stat line, proc(5).
func ParseStat(text string) ([]Thread, error) {
	var out []Thread
	for line := range strings.Lines(text) {
		t, err := parseStatLine(line)
		if err != nil {
			return nil, fmt.Errorf("line of /proc/PID/stat: %q: %w", line, err)
		}
		out = append(out, t)
	}
	return out, nil
}

func parseStatLine(line string) (Thread, error) {
	// The comm is between the first "(" and the last ")": it may hold both.
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Thread{}, fmt.Errorf("no comm")
	}
	t := Thread{Comm: line[open+1 : end]}
	if _, err := fmt.Sscanf(line[:open], "%d %d", &t.TGID, &t.PID); err != nil {
		return Thread{}, err
	}
	f := strings.Fields(line[end+1:])
	const state, ppid, start = 0, 1, 19
	if len(f) <= start {
		return Thread{}, fmt.Errorf("only %d fields", len(f))
	}
	t.State = f[state]
	ticks, err := strconv.ParseInt(f[start], 10, 64)
	if err != nil {
		return Thread{}, err
	}
	t.Start = time.Duration(ticks) * clockTick
	t.PPID, err = strconv.Atoi(f[ppid])
	return t, err
}

// ParseSnapshot reads what the lab's module writes.
func ParseSnapshot(text string) (Snapshot, error) {
	var s Snapshot
	head, table, ok := strings.Cut(text, "threads\n")
	if !ok {
		return s, fmt.Errorf("snapshot without threads")
	}
	var sec, nsec, up, upns int64
	_, err := fmt.Sscanf(head, "time %d.%d\nuptime %d.%d\navenrun %d %d %d\ncpu %d\npid %d\n",
		&sec, &nsec, &up, &upns, &s.Avenrun[0], &s.Avenrun[1], &s.Avenrun[2], &s.CPU, &s.PID)
	if err != nil {
		return s, fmt.Errorf("head of a snapshot %q: %w", head, err)
	}
	s.Time = time.Unix(sec, nsec).UTC()
	s.Uptime = time.Duration(up)*time.Second + time.Duration(upns)
	for line := range strings.Lines(table) {
		t, err := parseSnapshotThread(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return s, fmt.Errorf("line of a snapshot: %q: %w", line, err)
		}
		s.Threads = append(s.Threads, t)
	}
	return s, nil
}

func parseSnapshotThread(line string) (Thread, error) {
	f := strings.SplitN(line, " ", 7)
	if len(f) != 7 {
		return Thread{}, fmt.Errorf("only %d fields", len(f))
	}
	t := Thread{State: f[3], Kernel: f[5] == "1", Comm: f[6]}
	for i, to := range []*int{&t.PID, &t.TGID, &t.PPID} {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			return Thread{}, err
		}
		*to = n
	}
	ns, err := strconv.ParseInt(f[4], 10, 64)
	t.Start = time.Duration(ns)
	return t, err
}

// ParseStacks reads lines "task PID", each followed by that thread's /proc/PID/stack.
func ParseStacks(text string) (map[int][]Frame, error) {
	out := map[int][]Frame{}
	pid := 0
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "task "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				return nil, fmt.Errorf("line of stacks: %q: %w", line, err)
			}
			pid = n
			continue
		}
		f, ok := parseFrame(strings.TrimPrefix(strings.TrimSpace(line), "[<0>] "))
		if !ok {
			return nil, fmt.Errorf("line of /proc/%d/stack: %q", pid, line)
		}
		out[pid] = append(out[pid], f)
	}
	return out, nil
}
