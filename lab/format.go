package lab

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// A Format is a way to write a guest's memory to files.
type Format struct {
	Name string
	// From is the format it is made of; "" is written by QEMU, or by the
	// second kernel of a Kexec guest.
	From string
	// QMP is the format for dump-guest-memory, of which Paging is an option.
	QMP    string
	Paging bool
	// Args are makedumpfile's.
	Args []string
	// Parts is how many files a split dump has.
	Parts   int
	convert converter
}

// convertVersion is raised when package convert writes something else than before.
const convertVersion = 1

// key names how a format is made, so that it is remade when that changes.
func (f Format) key() string {
	h := fnv.New32a()
	fmt.Fprintln(h, f.From, f.Args, f.Parts, convertVersion)
	return fmt.Sprintf("%08x", h.Sum32())
}

// converter makes out of in with the lab's own code.
type converter func(in, out string) error

// Formats is the table of all formats.
func Formats() []Format {
	all := []Format{
		{Name: "elf", QMP: "elf"},
		{Name: "elf-paging", QMP: "elf", Paging: true},
		{Name: "kdump-flat", QMP: "kdump-zlib"}, // QEMU 7.2 writes it flattened
		{Name: "kdump", From: "kdump-flat", convert: reassembleFile},
		{Name: "vmcore"}, // /proc/vmcore
	}
	for _, m := range []struct{ name, args string }{
		{"md-c", "-c -d 31"},
		{"md-l", "-l -d 31"},
		{"md-z", "-z -d 31"},
		{"md-raw", "-d 31"},
		{"md-E", "-E -d 31"},
		{"md-E-flat", "-E -F -d 31"},
		{"md-flat", "-F -l -d 31"},
		{"md-split", "--split --splitblock-size 32 -z -d 31"},
		{"md-d1", "-l -d 1"},
	} {
		f := Format{Name: m.name, From: "elf", Args: strings.Fields(m.args)}
		if f.Args[0] == "--split" {
			f.Parts = 3
		}
		all = append(all, f)
	}
	return append(all, Format{Name: "md-snappy", From: "md-c", convert: snappyFile})
}

func formatNamed(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// qemuFormats are all that a dump by QEMU can become.
func qemuFormats() []string {
	var names []string
	for _, f := range Formats() {
		if f.Name != "vmcore" {
			names = append(names, f.Name)
		}
	}
	return names
}

// fewFormats are for guests that differ in something else.
func fewFormats() []string { return []string{"elf", "kdump-flat", "md-l"} }

// kexecFormats are made from /proc/vmcore.
func kexecFormats() []string { return []string{"vmcore", "md-c", "md-z", "md-E"} }

// qmpFormats are those of names that QEMU writes.
func qmpFormats(names []string) []string {
	var out []string
	for _, n := range names {
		if f, ok := formatNamed(n); ok && f.QMP != "" {
			out = append(out, n)
		}
	}
	return out
}
