package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Time limits: a guest of 512 MiB needs 20 s on two cores.
const (
	bootLimit = 5 * time.Minute
	pollEvery = 100 * time.Millisecond
)

// A machine is a QEMU process and its files, all in one directory but for the
// socket, whose path must be short (unix(7): 108 bytes).
type machine struct {
	dir     string
	socket  string
	process *exec.Cmd
	ended   chan error
	said    bytes.Buffer
}

// Files of a machine's directory.
const (
	consoleFile = "console"
	channelFile = "channel" // the second serial port, where the guest tells the truth
	truthDisk   = "truth.disk"
	vmcoreDisk  = "vmcore.disk"
	rootFile    = "initramfs"
)

// truthDiskSize is room for kallsyms and the /proc files of thousands of tasks.
const truthDiskSize = 64 << 20

// qemuArgs is the command line of a guest; QEMU runs in the machine's directory.
func qemuArgs(r Recipe, image, socket string) []string {
	args := []string{
		"-accel", "tcg,thread=multi", "-cpu", r.CPU, "-smp", strconv.Itoa(r.CPUs), "-m", strconv.Itoa(r.MemMiB),
		"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
		"-kernel", image, "-initrd", rootFile, "-append", r.appendLine(),
		"-serial", "file:" + consoleFile, "-serial", "file:" + channelFile,
		"-drive", "if=none,id=truth,format=raw,file=" + truthDisk, "-device", "virtio-blk-pci,drive=truth",
		"-qmp", "unix:" + socket + ",server=on,wait=off",
	}
	if r.Scenario == Kexec {
		args = append(args, "-drive", "if=none,id=vmcore,format=raw,file="+vmcoreDisk, "-device", "virtio-blk-pci,drive=vmcore")
	}
	if r.Note {
		args = append(args, "-device", "vmcoreinfo")
	}
	return args
}

// start boots a guest in dir. The caller must call stop.
func start(ctx context.Context, dir string, r Recipe, image string) (*machine, error) {
	disks := map[string]int64{truthDisk: truthDiskSize}
	if r.Scenario == Kexec {
		disks[vmcoreDisk] = int64(r.MemMiB+64) << 20
	}
	for name, size := range disks {
		if err := sparse(filepath.Join(dir, name), size); err != nil {
			return nil, fmt.Errorf("make a disk: %w", err)
		}
	}
	tmp, err := os.MkdirTemp("", "inquest-lab")
	if err != nil {
		return nil, fmt.Errorf("make a place for QEMU's socket: %w", err)
	}
	m := &machine{dir: dir, socket: filepath.Join(tmp, "qmp"), ended: make(chan error, 1)}
	m.process = command(ctx, "qemu-system-x86_64", qemuArgs(r, image, m.socket)...)
	m.process.Dir = dir
	m.process.Stdout, m.process.Stderr = &m.said, &m.said
	if err := m.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start QEMU: %w", err), os.RemoveAll(tmp))
	}
	go func() { m.ended <- m.process.Wait() }()
	return m, nil
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// stop ends QEMU, whatever it does.
func (m *machine) stop(cancel context.CancelFunc) {
	cancel()
	<-m.ended
	os.RemoveAll(filepath.Dir(m.socket))
}

// wait returns when one of the machine's output files holds text.
func (m *machine) wait(ctx context.Context, file, text string) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	path := filepath.Join(m.dir, file)
	for tick := time.Tick(pollEvery); ; {
		select {
		case err := <-m.ended:
			m.ended <- err
			return fmt.Errorf("wait for %q: QEMU ended (%w): %s", text, err, m.said.Bytes())
		case <-ctx.Done():
			return fmt.Errorf("wait for %q in %s: %w", text, path, ctx.Err())
		case <-tick:
		}
		if bad, err := lineWith(path, "=== fail "); err == nil && bad != "" {
			return fmt.Errorf("the guest says: %s", bad)
		}
		if found, err := lineWith(path, text); err == nil && found != "" {
			return nil
		}
	}
}

// tailLooked is how much of a growing file is searched, from its end.
const tailLooked = 64 << 10

// lineWith gives the line of a file's end that holds text, else "".
func lineWith(path, text string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	b := make([]byte, min(end, tailLooked))
	if _, err := f.ReadAt(b, end-int64(len(b))); err != nil {
		return "", err
	}
	for line := range bytes.Lines(b) {
		if bytes.HasSuffix(line, []byte("\n")) && bytes.Contains(line, []byte(text)) {
			return string(bytes.TrimSpace(line)), nil
		}
	}
	return "", nil
}
