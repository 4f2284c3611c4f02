// Package sched reads the scheduler: what each CPU was running, and the load.
package sched

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// Load is the load average over 1, 5 and 15 minutes.
type Load [3]float64

// fixedShift is the number of fraction bits of avenrun (C FSHIFT,
// include/linux/sched/loadavg.h).
const fixedShift = 11

// LoadAverage reads the load averages (C avenrun) and rounds them as
// /proc/loadavg does: to hundredths, half a hundredth up.
func LoadAverage(k *kernel.Kernel) (Load, error) {
	var out Load
	at, err := k.Sym("avenrun") // unsigned long avenrun[3]
	if err != nil {
		return out, err
	}
	for i := range out {
		v, err := mem.U64(k.Mem, at+mem.Virt(i*8))
		if err != nil {
			return out, fmt.Errorf("avenrun[%d]: %w", i, err)
		}
		v += (1 << fixedShift) / 200
		hundredths := (v & (1<<fixedShift - 1)) * 100 >> fixedShift
		out[i] = float64(v>>fixedShift) + float64(hundredths)/100
	}
	return out, nil
}

type rqFields struct {
	Curr layout.Field `k:"rq.curr"`
	Idle layout.Field `k:"rq.idle"`
}

// Current is what a CPU was running.
type Current struct {
	CPU  int      `json:"cpu"`
	Task mem.Virt `json:"task"` // task_struct of rq.curr
	Idle mem.Virt `json:"idle"` // task_struct of rq.idle
}

// CurrentTasks gives the running task of every present CPU, by CPU number.
// CPUs whose run queue cannot be read are left out and named in the error,
// beside the rest.
func CurrentTasks(k *kernel.Kernel) ([]Current, error) {
	var f rqFields
	if err := k.Bind(&f); err != nil {
		return nil, fmt.Errorf("run queues: %w", err)
	}
	var out []Current
	var firstErr error
	cpus := k.PresentCPUs()
	if len(cpus) == 0 {
		cpus = k.PossibleCPUs() // those that are not there run nothing
	}
	if len(cpus) == 0 {
		return nil, kernel.Unsupported("run queues", "__cpu_possible_mask", "cpu_possible_bits")
	}
	for _, cpu := range cpus {
		rq, err := k.PerCPUSym(cpu, "runqueues")
		if err != nil {
			return out, fmt.Errorf("run queues: %w", err)
		}
		r := layout.NewReader(k.Mem, rq)
		c := Current{CPU: cpu, Task: mem.Virt(r.Uint(&f.Curr)), Idle: mem.Virt(r.Uint(&f.Idle))}
		if err := r.Err(); err != nil {
			if firstErr == nil {
				firstErr = fmt.Errorf("run queue of CPU %d: %w", cpu, err)
			}
			continue
		}
		if c.Task != 0 { // a CPU that never came up runs nothing
			out = append(out, c)
		}
	}
	return out, firstErr
}
