package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// guestModules are loaded into every guest, with what they depend on.
var guestModules = []string{"qemu_fw_cfg", "virtio_pci", "virtio_blk", "loop", "crc32c_generic", "ext4", "dm-mod", "veth", "tun", "fuse", "overlay"}

// initramfs writes the guest's root file system. A kexec guest has its kernel
// and a root file system for the second kernel in it.
func (l *Lab) initramfs(ctx context.Context, path string, k Kernel, in installed, r Recipe) error {
	plain, err := l.archive(ctx, k, in, nil)
	if err != nil {
		return fmt.Errorf("build the initramfs: %w", err)
	}
	if r.Scenario == Kexec {
		image, err := os.ReadFile(l.image(k, in.Release))
		if err != nil {
			return fmt.Errorf("build the initramfs: %w", err)
		}
		plain, err = l.archive(ctx, k, in, map[string][]byte{"kernel": image, "initrd": plain})
		if err != nil {
			return fmt.Errorf("build the initramfs: %w", err)
		}
	}
	return os.WriteFile(path, plain, 0o644)
}

func (l *Lab) archive(ctx context.Context, k Kernel, in installed, more map[string][]byte) ([]byte, error) {
	files, err := l.guestPrograms(ctx)
	if err != nil {
		return nil, err
	}
	order, err := l.guestKernelModules(ctx, k, in, files)
	if err != nil {
		return nil, err
	}
	files["modules/order"] = []byte(strings.Join(order, "\n") + "\n")
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	c := newCPIO(z)
	for _, d := range []string{"bin", "sbin", "proc", "sys", "dev", "mnt", "modules"} {
		c.dir(d)
	}
	for name, body := range files {
		c.file(name, body)
	}
	for name, body := range more {
		c.file(name, body)
	}
	if err := errors.Join(c.close(), z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (l *Lab) guestPrograms(ctx context.Context) (map[string][]byte, error) {
	program, err := l.program(ctx)
	if err != nil {
		return nil, err
	}
	disk, err := l.disk(ctx)
	if err != nil {
		return nil, err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	if err := mustBeStatic(busybox); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, path := range map[string]string{"bin/labguest": program, "bin/busybox": busybox, "disk": disk} {
		if files[name], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	files["init"], err = guestFiles.ReadFile("guest/init.sh")
	return files, err
}

func mustBeStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs shared libraries: install the package busybox-static", path)
		}
	}
	return nil
}

// guestKernelModules adds the modules to files and gives the order to load them in.
func (l *Lab) guestKernelModules(ctx context.Context, k Kernel, in installed, files map[string][]byte) ([]string, error) {
	m := moduleSet{ctx: ctx, paths: map[string]string{}, files: files}
	err := filepath.WalkDir(l.kernelRoot(k), func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil {
			m.paths[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, name := range guestModules {
		if err := m.add(moduleName(name)); err != nil {
			return nil, err
		}
	}
	own, err := l.module(ctx, in)
	if err != nil {
		return nil, err
	}
	m.paths["inquest_lab"] = own
	return m.order, m.add("inquest_lab")
}

func moduleName(file string) string { return strings.ReplaceAll(file, "-", "_") }

// A moduleSet collects modules, each after those it depends on.
type moduleSet struct {
	ctx   context.Context
	paths map[string]string // by name
	files map[string][]byte
	order []string
}

// add takes a module in; one that is not there is built into the kernel.
func (m *moduleSet) add(name string) error {
	path, ok := m.paths[name]
	if !ok || m.files["modules/"+name+".ko"] != nil {
		return nil
	}
	body, err := readModule(m.ctx, path)
	if err != nil {
		return fmt.Errorf("read module %s: %w", name, err)
	}
	depends, err := moduleDepends(body)
	if err != nil {
		return fmt.Errorf("read module %s: %w", name, err)
	}
	m.files["modules/"+name+".ko"] = body
	for _, d := range depends {
		if err := m.add(moduleName(d)); err != nil {
			return err
		}
	}
	m.order = append(m.order, name)
	return nil
}

func readModule(ctx context.Context, path string) ([]byte, error) {
	if filepath.Ext(path) == ".xz" {
		return output(ctx, "xz", "-dc", path)
	}
	return os.ReadFile(path)
}

// moduleDepends reads "depends=a,b" of the section .modinfo.
func moduleDepends(body []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("no .modinfo section")
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	for _, field := range bytes.Split(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(field), "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
