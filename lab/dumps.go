package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kinquest/inquest/lab/truth"
)

// A Dump is one dump of the lab: a guest's memory in one format.
type Dump struct {
	Name    string // "6.1-sysrq-note/md-z": recipe and format
	Recipe  Recipe
	Format  Format
	Files   []string // one, or the parts of a split dump
	Release string   // uname -r of the guest
	HasNote bool     // whether the dump has a VMCOREINFO note

	TruthDir   string
	Console    string // path of the console log
	VMCOREINFO string // path of the text as found in the guest's memory
	VMLinux    string // path of vmlinux with DWARF
	Made       time.Time
}

// Truth reads what the guest told about itself.
func (d Dump) Truth() (*truth.Truth, error) { return truth.Read(d.TruthDir) }

// ConsoleLog reads and parses the guest's console log.
func (d Dump) ConsoleLog() (truth.Console, error) {
	b, err := os.ReadFile(d.Console)
	if err != nil {
		return truth.Console{}, fmt.Errorf("read the console log: %w", err)
	}
	return truth.ParseConsole(string(b)), nil
}

// Dumps lists the dumps the lab has, in the order of Recipes. A dump whose
// recipe or guest sources have changed since is not among them.
func (l *Lab) Dumps() ([]Dump, error) {
	var out []Dump
	for _, r := range Recipes() {
		k, err := kernelNamed(r.Kernel)
		if err != nil {
			return nil, err
		}
		if !exists(l.recordPath(k)) {
			continue
		}
		in, err := l.known(k)
		if err != nil {
			return nil, err
		}
		dumps, err := l.dumpsOf(r, in)
		if err != nil {
			return nil, err
		}
		out = append(out, dumps...)
	}
	return out, nil
}

func (l *Lab) dumpsOf(r Recipe, in installed) ([]Dump, error) {
	dir := l.bootDir(r, in)
	var out []Dump
	for _, name := range r.Formats {
		f, ok := formatNamed(name)
		if !ok {
			return nil, fmt.Errorf("%s: the lab has no format %q", r.Name(), name)
		}
		files := formatFiles(dir, f)
		info, err := os.Stat(files[0])
		if err != nil {
			continue // not made yet
		}
		out = append(out, Dump{
			Name: r.Name() + "/" + name, Recipe: r, Format: f, Files: files,
			Release: in.Release, HasNote: r.Note || r.Scenario == Kexec,
			TruthDir: filepath.Join(dir, truthDir), Console: filepath.Join(dir, consoleFile),
			VMCOREINFO: filepath.Join(dir, noteFile), VMLinux: l.vmlinuxPath(in.Release),
			Made: info.ModTime(),
		})
	}
	return out, nil
}

// Clean removes guests and formats whose recipe or sources have changed since,
// and what was left half made.
func (l *Lab) Clean() error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	keep := l.current()
	boots, err := filepath.Glob(l.path("boots", "*"))
	if err != nil {
		return err
	}
	formats, err := filepath.Glob(l.path("boots", "*", "*-*"))
	if err != nil {
		return err
	}
	for _, dir := range append(boots, formats...) {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() || keep[dir] {
			continue
		}
		l.say("remove %s", dir)
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("clean the lab: %w", err)
		}
	}
	return nil
}

// current is the set of directories that Make would keep.
func (l *Lab) current() map[string]bool {
	keep := map[string]bool{}
	for _, r := range Recipes() {
		k, err := kernelNamed(r.Kernel)
		if err != nil {
			continue
		}
		in, err := l.known(k)
		if err != nil {
			continue // no guest of a kernel that is not there
		}
		boot := l.bootDir(r, in)
		keep[boot] = true
		for _, name := range r.Formats {
			if f, ok := formatNamed(name); ok {
				keep[filepath.Dir(formatFiles(boot, f)[0])] = true
			}
		}
	}
	return keep
}
