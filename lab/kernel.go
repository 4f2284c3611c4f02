package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Kernel is a distribution kernel the lab can boot.
type Kernel struct {
	Name  string // how recipes call it: "6.1"
	Suite string // Debian suite
	Arch  string // Debian architecture
	Meta  string // package whose dependency is the newest kernel of the suite
}

// Kernels is the table to extend for another kernel.
func Kernels() []Kernel {
	return []Kernel{
		{Name: "6.1", Suite: "bookworm", Arch: "amd64", Meta: "linux-image-amd64"},
		{Name: "6.12", Suite: "trixie", Arch: "amd64", Meta: "linux-image-amd64"},
	}
}

func kernelNamed(name string) (Kernel, error) {
	for _, k := range Kernels() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kernel{}, fmt.Errorf("the lab has no kernel %q", name)
}

// installed is a kernel whose packages are unpacked in the lab.
type installed struct {
	Kernel  string
	Release string // uname -r
	Version string // of the image package
}

var unpackedWith = regexp.MustCompile(`^linux-(binary|modules)-`)
var headerParts = regexp.MustCompile(`^linux-(headers-.*-common|kbuild-.*)$`)

func (l *Lab) kernelDir(k Kernel) string     { return l.path("kernels", k.Name) }
func (l *Lab) kernelRoot(k Kernel) string    { return l.path("kernels", k.Name, "root") }
func (l *Lab) vmlinuxPath(rel string) string { return l.path("vmlinux", rel, "vmlinux") }
func (l *Lab) recordPath(k Kernel) string    { return filepath.Join(l.kernelDir(k), "kernel.json") }
func (l *Lab) image(k Kernel, r string) string {
	return filepath.Join(l.kernelRoot(k), "boot", "vmlinuz-"+r)
}

// known reads which kernel the lab has under a name.
func (l *Lab) known(k Kernel) (installed, error) {
	var in installed
	b, err := os.ReadFile(l.recordPath(k))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		return in, fmt.Errorf("read which kernel %s is: %w", k.Name, err)
	}
	return in, nil
}

// install fetches and unpacks a kernel, its headers and its debug symbols, once.
func (l *Lab) install(ctx context.Context, k Kernel) (installed, error) {
	err := l.share("kernel "+k.Name, func() error {
		if exists(l.recordPath(k)) {
			return nil
		}
		return into(l.kernelDir(k), func(part string) error { return l.unpackKernel(ctx, k, part) })
	})
	if err != nil {
		return installed{}, fmt.Errorf("install kernel %s: %w", k.Name, err)
	}
	return l.known(k)
}

func (l *Lab) unpackKernel(ctx context.Context, k Kernel, part string) error {
	a, err := l.apt(ctx, k.Suite, k.Arch)
	if err != nil {
		return err
	}
	image, err := a.dependency(ctx, k.Meta, regexp.MustCompile(`^linux-image-`))
	if err != nil {
		return err
	}
	release := strings.TrimPrefix(image[0], "linux-image-")
	version, err := a.version(ctx, image[0])
	if err != nil {
		return err
	}
	parts, err := a.dependencies(ctx, image[0], unpackedWith)
	if err != nil {
		return err
	}
	l.say("kernel %s: fetch %s %s", k.Name, image[0], version)
	if err := a.unpack(ctx, filepath.Join(part, "root"), append(parts, image[0])...); err != nil {
		return err
	}
	headers := "linux-headers-" + release
	with, err := a.dependencies(ctx, headers, headerParts)
	if err != nil {
		return err
	}
	if err := l.chroot(ctx); err != nil {
		return err
	}
	if err := a.unpack(ctx, l.chrootDir(), append(with, headers)...); err != nil {
		return err
	}
	if err := l.fetchVMLinux(ctx, a, k, release); err != nil {
		return err
	}
	return writeJSON(filepath.Join(part, "kernel.json"), installed{k.Name, release, version})
}

// fetchVMLinux takes vmlinux with DWARF out of the debug package; the reference tools need it.
func (l *Lab) fetchVMLinux(ctx context.Context, a *apt, k Kernel, release string) error {
	if exists(l.vmlinuxPath(release)) {
		return nil
	}
	l.say("kernel %s: fetch the debug symbols (about 1 GB)", k.Name)
	return into(filepath.Dir(l.vmlinuxPath(release)), func(part string) error {
		deb, err := a.download(ctx, part, "linux-image-"+release+"-dbg")
		if err != nil {
			return err
		}
		defer os.Remove(deb)
		script := `dpkg-deb --fsys-tarfile "$1" | tar xO --wildcards './usr/lib/debug/boot/vmlinux-*' >"$2"`
		return run(ctx, "sh", "-c", script, "sh", deb, filepath.Join(part, "vmlinux"))
	})
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
