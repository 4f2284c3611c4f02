package lab

import (
	"slices"
	"strings"
	"testing"
)

var someKernel = installed{Kernel: "6.1", Release: "6.1.0-50-amd64", Version: "6.1.176-1"}

func TestRecipes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Recipes() {
		if seen[r.Name()] {
			t.Errorf("two recipes are named %s", r.Name())
		}
		seen[r.Name()] = true
		if _, err := kernelNamed(r.Kernel); err != nil {
			t.Errorf("%s: %v", r.Name(), err)
		}
		for _, name := range r.Formats {
			f, ok := formatNamed(name)
			if !ok {
				t.Errorf("%s: no format %q", r.Name(), name)
			}
			// What it is made of comes earlier: elf and vmcore stand for each other.
			if from, _ := formatNamed(f.From); f.From != "" && r.Scenario != Kexec &&
				slices.Index(r.Formats, from.Name) > slices.Index(r.Formats, name) {
				t.Errorf("%s: %s comes before %s", r.Name(), name, from.Name)
			}
		}
		if r.Scenario != Kexec && r.Formats[0] != "elf" {
			t.Errorf("%s: VMCOREINFO is looked for in %s", r.Name(), r.Formats[0])
		}
	}
	for _, want := range []string{"6.1-sysrq-note", "6.12-running-nonote", "6.12-sysrq-note-big", "6.1-kexec-nonote"} {
		if !seen[want] {
			t.Errorf("no recipe %s", want)
		}
	}
}

func TestKey(t *testing.T) {
	base := Recipes()[0]
	key := base.key(someKernel)
	same := map[string]func(*Recipe){
		"nothing":        func(r *Recipe) {},
		"a made format":  func(r *Recipe) { r.Formats = r.Formats[:len(r.Formats)-1] },
		"when it is due": func(r *Recipe) { r.OnDemand = true },
	}
	for name, change := range same {
		r := base
		change(&r)
		if r.key(someKernel) != key {
			t.Errorf("%s changes the key", name)
		}
	}
	other := map[string]func(*Recipe){
		"memory":        func(r *Recipe) { r.MemMiB *= 2 },
		"cmdline":       func(r *Recipe) { r.Cmdline = "nokaslr" },
		"note":          func(r *Recipe) { r.Note = !r.Note },
		"QEMU's format": func(r *Recipe) { r.Formats = []string{"elf"} },
	}
	for name, change := range other {
		r := base
		change(&r)
		if r.key(someKernel) == key {
			t.Errorf("%s does not change the key", name)
		}
	}
	newer := someKernel
	newer.Version = "6.1.177-1"
	if base.key(newer) == key {
		t.Error("a newer kernel does not change the key")
	}
}

func TestFormatKey(t *testing.T) {
	f, _ := formatNamed("md-split")
	files := formatFiles("boot", f)
	f.Args = append(slices.Clone(f.Args), "-X")
	if other := formatFiles("boot", f); len(files) != 3 || files[0] == other[0] {
		t.Errorf("files %q, and with other arguments %q", files, other)
	}
}

func TestQEMUArgs(t *testing.T) {
	r := Recipe{Scenario: Kexec, CPU: level4, CPUs: 2, MemMiB: 512, Cmdline: "nokaslr", Note: true, Tasks: 7}
	args := strings.Join(qemuArgs(r, "vmlinuz", "/run/qmp"), " ")
	for _, want := range []string{"-cpu max,la57=off -smp 2 -m 512", "-device vmcoreinfo", vmcoreDisk, "-kernel vmlinuz",
		"lab.scenario=kexec lab.tasks=7 lab.note=yes nokaslr", "unix:/run/qmp,"} {
		if !strings.Contains(args, want) {
			t.Errorf("%q lacks %q", args, want)
		}
	}
	r.Scenario, r.Note = SysRq, false
	args = strings.Join(qemuArgs(r, "vmlinuz", "/run/qmp"), " ")
	for _, unwanted := range []string{"-device vmcoreinfo", vmcoreDisk} {
		if strings.Contains(args, unwanted) {
			t.Errorf("%q has %q", args, unwanted)
		}
	}
}
