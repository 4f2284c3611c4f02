package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kinquest/inquest/lab/convert"
)

// formatFiles are the files a format has, or will have, for a guest.
func formatFiles(boot string, f Format) []string {
	if f.From == "" {
		return []string{filepath.Join(boot, "dump."+f.Name)}
	}
	dir := filepath.Join(boot, f.Name+"-"+f.key())
	if f.Parts == 0 {
		return []string{filepath.Join(dir, "dump")}
	}
	var files []string
	for i := range f.Parts {
		files = append(files, filepath.Join(dir, fmt.Sprintf("dump.%d", i+1)))
	}
	return files
}

// derive makes the formats of a recipe that QEMU does not write.
func (l *Lab) derive(ctx context.Context, r Recipe, boot string) error {
	sorted := filepath.Join(boot, "sorted.elf")
	defer os.Remove(sorted)
	for _, name := range r.Formats {
		f, ok := formatNamed(name)
		if !ok {
			return fmt.Errorf("%s: the lab has no format %q", r.Name(), name)
		}
		dir := filepath.Dir(formatFiles(boot, f)[0])
		if f.From == "" || exists(dir) {
			continue
		}
		began := time.Now()
		err := into(dir, func(part string) error {
			if f.convert != nil {
				from, _ := formatNamed(f.From)
				return f.convert(formatFiles(boot, from)[0], filepath.Join(part, "dump"))
			}
			return l.makedumpfile(ctx, r, f, boot, sorted, part)
		})
		if err != nil {
			return fmt.Errorf("%s: make %s: %w", r.Name(), name, err)
		}
		l.say("%s: %s made in %.1f s", r.Name(), name, time.Since(began).Seconds())
	}
	return nil
}

// makedumpfile filters and compresses the guest's ELF dump into dir.
func (l *Lab) makedumpfile(ctx context.Context, r Recipe, f Format, boot, sorted, dir string) error {
	from := filepath.Join(boot, "dump.vmcore")
	if r.Scenario != Kexec {
		from = sorted
		if !exists(sorted) {
			if err := convertFile(filepath.Join(boot, "dump.elf"), sorted, func(out, in *os.File) error {
				return convert.ProgramHeadersFirst(out, in)
			}); err != nil {
				return err
			}
		}
	}
	args := append([]string{"--message-level", "1"}, f.Args...)
	if !r.Note && r.Scenario != Kexec {
		args = append(args, "-i", l.guestPath(filepath.Join(boot, noteFile)))
	}
	args = append(args, l.guestPath(from))
	for _, a := range f.Args {
		if a == "-F" { // flattened: to standard output
			script := `out=$1; shift; exec makedumpfile "$@" >"$out"`
			_, err := l.chrootRun(ctx, "sh", append([]string{"-c", script, "sh", l.guestPath(filepath.Join(dir, "dump"))}, args...)...)
			return err
		}
	}
	for _, file := range formatFiles(boot, f) {
		args = append(args, l.guestPath(filepath.Join(dir, filepath.Base(file))))
	}
	_, err := l.chrootRun(ctx, "makedumpfile", args...)
	return err
}

func convertFile(from, to string, work func(out, in *os.File) error) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("convert a dump: %w", err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("convert a dump: %w", err)
	}
	return errors.Join(work(out, in), out.Close())
}

func reassembleFile(in, out string) error {
	return convertFile(in, out, func(w, r *os.File) error { return convert.Reassemble(w, io.Reader(r)) })
}

func snappyFile(in, out string) error {
	return convertFile(in, out, func(w, r *os.File) error { return convert.SnappyPages(w, r) })
}
