package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed guest/*.c guest/*.h guest/init.sh guest/module/*
var guestFiles embed.FS

// guestSources is a digest of what runs in a guest.
func guestSources() string {
	h := sha256.New()
	err := fs.WalkDir(guestFiles, "guest", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := guestFiles.ReadFile(p)
		fmt.Fprintf(h, "%s %d\n%s", p, len(b), b)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	return hex.EncodeToString(h.Sum(nil))
}

// buildDir holds what is compiled from this version of the sources.
func (l *Lab) buildDir(name string) string {
	return l.path("build", name+"-"+guestSources()[:12])
}

// program compiles the workload, static, and gives its path.
func (l *Lab) program(ctx context.Context) (string, error) {
	dir := l.buildDir("labguest")
	err := l.share("program", func() error {
		if exists(dir) {
			return nil
		}
		l.say("guest: compile the workload")
		return into(dir, func(part string) error {
			if err := writeSources(part, "guest"); err != nil {
				return err
			}
			in := l.guestPath(part)
			_, err := l.chrootRun(ctx, "sh", "-c", "cd "+in+" && gcc -static -O2 -Wall -Wno-unused-result -s -o labguest *.c")
			return err
		})
	})
	return filepath.Join(dir, "labguest"), err
}

// module compiles the lab's kernel module for a kernel and gives its path.
func (l *Lab) module(ctx context.Context, in installed) (string, error) {
	dir := l.buildDir("module-" + in.Release)
	err := l.share("module "+in.Release, func() error {
		if exists(dir) {
			return nil
		}
		l.say("guest: compile the module for %s", in.Release)
		return into(dir, func(part string) error {
			if err := writeSources(part, "guest/module"); err != nil {
				return err
			}
			_, err := l.chrootRun(ctx, "make", "-C", "/usr/src/linux-headers-"+in.Release,
				"M="+l.guestPath(part), "CC=gcc", "modules")
			return err
		})
	})
	return filepath.Join(dir, "inquest_lab.ko"), err
}

// disk makes an ext4 file system for the guest to mount and gives its path.
func (l *Lab) disk(ctx context.Context) (string, error) {
	dir := l.buildDir("disk")
	err := l.share("disk", func() error {
		if exists(dir) {
			return nil
		}
		return into(dir, func(part string) error {
			_, err := l.chrootRun(ctx, "/usr/sbin/mke2fs", "-q", "-t", "ext4", l.guestPath(filepath.Join(part, "disk")), "16M")
			return err
		})
	})
	return filepath.Join(dir, "disk"), err
}

// writeSources copies the files of one directory of the guest's sources.
func writeSources(to, from string) error {
	list, err := guestFiles.ReadDir(from)
	if err != nil {
		return fmt.Errorf("list the guest's sources: %w", err)
	}
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		b, err := guestFiles.ReadFile(path.Join(from, e.Name()))
		if err != nil {
			return fmt.Errorf("read the guest's sources: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o644); err != nil {
			return fmt.Errorf("write the guest's sources: %w", err)
		}
	}
	return nil
}
