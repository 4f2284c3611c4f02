package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kinquest/inquest/lab/convert"
	"github.com/kinquest/inquest/lab/truth"
)

// bootVersion is raised when guests are made otherwise than before.
const bootVersion = 1

// A bootRecord is written last into a guest's directory.
type bootRecord struct {
	Recipe  Recipe
	Kernel  installed
	Made    time.Time
	Seconds float64
}

const (
	bootRecordFile = "boot.json"
	noteFile       = "vmcoreinfo" // the VMCOREINFO text as it is in the guest's memory
	truthDir       = "truth"
)

func (l *Lab) bootDir(r Recipe, in installed) string {
	return l.path("boots", r.Name()+"-"+r.key(in))
}

// boot makes a guest, its truth and QEMU's dumps of it, unless the lab has them.
func (l *Lab) boot(ctx context.Context, r Recipe, in installed) (string, error) {
	dir := l.bootDir(r, in)
	if exists(dir) {
		return dir, nil
	}
	k, err := kernelNamed(r.Kernel)
	if err != nil {
		return "", err
	}
	began := time.Now()
	l.say("%s: boot", r.Name())
	err = into(dir, func(part string) error {
		if err := l.initramfs(ctx, filepath.Join(part, rootFile), k, in, r); err != nil {
			return err
		}
		if err := runGuest(ctx, part, r, l.image(k, in.Release)); err != nil {
			return err
		}
		if err := digHoles(ctx, part, r); err != nil {
			return err
		}
		if err := keepTruth(part); err != nil {
			return err
		}
		rec := bootRecord{r, in, time.Now().UTC(), time.Since(began).Seconds()}
		return writeJSON(filepath.Join(part, bootRecordFile), rec)
	})
	if err != nil {
		return "", fmt.Errorf("boot %s: %w", r.Name(), err)
	}
	l.say("%s: booted, ended and dumped in %.0f s", r.Name(), time.Since(began).Seconds())
	return dir, nil
}

// runGuest boots a guest, waits for its end and writes QEMU's dumps.
func runGuest(ctx context.Context, dir string, r Recipe, image string) error {
	ctx, cancel := context.WithCancel(ctx)
	m, err := start(ctx, dir, r, image)
	if err != nil {
		cancel()
		return err
	}
	defer m.stop(cancel)
	if r.Scenario == Kexec {
		if err := m.wait(ctx, channelFile, "=== end vmcore "); err != nil {
			return err
		}
		return saveVMCore(dir)
	}
	if err := m.wait(ctx, channelFile, "=== end snapshot"); err != nil {
		return err
	}
	if r.Scenario != Running {
		if err := m.wait(ctx, consoleFile, "end Kernel panic"); err != nil {
			return err
		}
	}
	return dumpGuest(m.socket, dir, r)
}

// digHoles gives the disk space of zero pages back; the files read the same.
func digHoles(ctx context.Context, dir string, r Recipe) error {
	for _, name := range qmpFormats(r.Formats) {
		if err := run(ctx, "fallocate", "--dig-holes", filepath.Join(dir, "dump."+name)); err != nil {
			return err
		}
	}
	return nil
}

func dumpGuest(socket, dir string, r Recipe) error {
	q, err := dialQMP(socket)
	if err != nil {
		return err
	}
	defer q.close()
	if err := q.do("stop", nil); err != nil {
		return err
	}
	for _, name := range qmpFormats(r.Formats) {
		f, _ := formatNamed(name)
		if err := q.dump(filepath.Join(dir, "dump."+name), f); err != nil {
			return err
		}
	}
	return findNote(dir, filepath.Join(dir, "dump."+qmpFormats(r.Formats)[0]))
}

// saveVMCore cuts the second kernel's disk to the size it told.
func saveVMCore(dir string) error {
	line, err := lineWith(filepath.Join(dir, channelFile), "=== end vmcore ")
	if err != nil {
		return fmt.Errorf("read the size of the vmcore: %w", err)
	}
	size, err := strconv.ParseInt(strings.TrimPrefix(line, "=== end vmcore "), 10, 64)
	if err != nil {
		return fmt.Errorf("read the size of the vmcore: %w", err)
	}
	disk, to := filepath.Join(dir, vmcoreDisk), filepath.Join(dir, "dump.vmcore")
	if err := os.Truncate(disk, size); err != nil {
		return fmt.Errorf("save the vmcore: %w", err)
	}
	if err := os.Rename(disk, to); err != nil {
		return fmt.Errorf("save the vmcore: %w", err)
	}
	return findNote(dir, to)
}

// findNote keeps the VMCOREINFO text of an ELF dump, which makedumpfile and drgn ask for.
func findNote(dir, elf string) error {
	f, err := os.Open(elf)
	if err != nil {
		return fmt.Errorf("look for VMCOREINFO: %w", err)
	}
	defer f.Close()
	text, err := convert.VMCOREINFO(f)
	if err != nil {
		return fmt.Errorf("look for VMCOREINFO in %s: %w", elf, err)
	}
	return os.WriteFile(filepath.Join(dir, noteFile), text, 0o644)
}

// keepTruth unpacks what the guest told and removes what only the guest needed.
func keepTruth(dir string) error {
	disk, err := os.Open(filepath.Join(dir, truthDisk))
	if err != nil {
		return fmt.Errorf("read the guest's truth: %w", err)
	}
	defer disk.Close()
	if err := truth.Unpack(io.LimitReader(disk, truthDiskSize), filepath.Join(dir, truthDir)); err != nil {
		return fmt.Errorf("read the guest's truth: %w", err)
	}
	channel := filepath.Join(dir, truthDir, truth.ChannelFile)
	if err := os.Rename(filepath.Join(dir, channelFile), channel); err != nil {
		return fmt.Errorf("keep the guest's truth: %w", err)
	}
	if _, err := truth.Read(filepath.Join(dir, truthDir)); err != nil {
		return err
	}
	var failed []error
	for _, name := range []string{truthDisk, rootFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
