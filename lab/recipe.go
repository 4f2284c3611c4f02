package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Scenario is how a guest ends.
type Scenario string

// The scenarios. All but Running panic; Kexec is SysRq with a second kernel
// loaded, which saves /proc/vmcore.
const (
	SysRq   Scenario = "sysrq"
	Null    Scenario = "null"  // NULL dereference in the lab's module
	IRQ     Scenario = "irq"   // the same in a timer, on the interrupt stack
	Smash   Scenario = "smash" // stack-protector panic in the lab's module
	Running Scenario = "running"
	Kexec   Scenario = "kexec"
)

// A Recipe says how to make one guest and which dumps of it.
type Recipe struct {
	Kernel   string   // name in Kernels
	Scenario Scenario //
	Note     bool     // whether the guest hands QEMU its VMCOREINFO
	Option   string   // names what is unusual below, "" if nothing is
	CPU      string   // QEMU's -cpu; "max" has 5-level page tables
	CPUs     int      //
	MemMiB   int      //
	Cmdline  string   // more kernel parameters
	Tasks    int      // tasks beyond the standard workload
	Formats  []string // names in Formats
	OnDemand bool     // only made when named
}

// Name is unique in Recipes: "6.1-sysrq-note-4level".
func (r Recipe) Name() string {
	parts := []string{r.Kernel, string(r.Scenario), "nonote"}
	if r.Note {
		parts[2] = "note"
	}
	if r.Option != "" {
		parts = append(parts, r.Option)
	}
	return strings.Join(parts, "-")
}

// appendLine is the kernel's command line.
func (r Recipe) appendLine() string {
	note := "no"
	if r.Note {
		note = "yes"
	}
	line := []string{
		"console=ttyS0", "panic=0",
		"lab.scenario=" + string(r.Scenario), "lab.tasks=" + strconv.Itoa(r.Tasks), "lab.note=" + note,
	}
	if r.Cmdline != "" {
		line = append(line, r.Cmdline)
	}
	return strings.Join(line, " ")
}

// key names the guest that a recipe makes of a kernel and of the lab's guest
// sources: the same key, the same guest. Formats made afterwards from the
// guest's dumps are not part of it.
func (r Recipe) key(in installed) string {
	r.Formats = qmpFormats(r.Formats)
	r.OnDemand = false
	h := sha256.New()
	fmt.Fprintln(h, bootVersion)
	b, err := json.Marshal(struct {
		Recipe Recipe
		Kernel installed
	}{r, in})
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	h.Write(b)
	io.WriteString(h, guestSources())
	return hex.EncodeToString(h.Sum(nil))[:12]
}
