package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCPIO(t *testing.T) {
	var out bytes.Buffer
	c := newCPIO(&out)
	c.dir("bin")
	c.file("bin/x", []byte("hello"))
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	field := func(hex string) string { return strings.Repeat("0", 8-len(hex)) + hex }
	header := func(ino, mode, size, name string, rest string) string {
		f := []string{ino, mode, "0", "0", "1", "0", size, "0", "0", "0", "0", name, "0"}
		for i := range f {
			f[i] = field(f[i])
		}
		return "070701" + strings.Join(f, "") + rest
	}
	want := header("1", "41ed", "0", "4", "bin\x00\x00\x00") +
		header("2", "81ed", "5", "6", "bin/x\x00hello\x00\x00\x00") +
		header("3", "0", "0", "b", "TRAILER!!!\x00\x00\x00\x00")
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestInto(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	broken := errors.New("broken")
	if err := into(dir, func(string) error { return broken }); !errors.Is(err, broken) || exists(dir) {
		t.Errorf("a failure gives %v; directory there: %v", err, exists(dir))
	}
	err := into(dir, func(part string) error { return os.WriteFile(filepath.Join(part, "f"), nil, 0o600) })
	if err != nil || !exists(filepath.Join(dir, "f")) || exists(dir+".part") {
		t.Errorf("after success: %v", err)
	}
}

func TestShare(t *testing.T) {
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	broken := errors.New("broken")
	for range 3 {
		if err := l.share("work", func() error { n++; return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("done %d times", n)
	}
}

func TestLineWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console")
	text := strings.Repeat("noise\n", tailLooked/4) + "=== end vmcore 123\r\nnot whole: === fail"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string]string{"=== end vmcore 123": "=== end vmcore ", "": "=== fail"} {
		if got, err := lineWith(path, in); err != nil || got != want {
			t.Errorf("line with %q: %q, %v", in, got, err)
		}
	}
}

func TestGuestPath(t *testing.T) {
	l, err := Open("/var/lab")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{"/var/lab/boots/x": "/lab/boots/x", "/usr/bin/env": "/usr/bin/env"} {
		if got := l.guestPath(in); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func TestDumpsOfAnEmptyLab(t *testing.T) {
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d, err := l.Dumps(); len(d) != 0 || err != nil {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestDumps(t *testing.T) {
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := Recipes()[0]
	k, err := kernelNamed(r.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, body []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(l.recordPath(k), []byte(`{"Kernel":"6.1","Release":"6.1.0-50-amd64","Version":"6.1.176-1"}`))
	split, _ := formatNamed("md-split")
	boot := l.bootDir(r, someKernel)
	for _, f := range append(formatFiles(boot, split), filepath.Join(boot, "dump.elf"), l.path("boots", "stale", "dump.elf")) {
		write(f, []byte("x"))
	}
	names := func() (out []string) {
		dumps, err := l.Dumps()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dumps {
			out = append(out, d.Name)
		}
		return out
	}
	want := []string{r.Name() + "/elf", r.Name() + "/md-split"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("dumps %q, want %q", got, want)
	}
	if err := l.Clean(); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, want) || exists(l.path("boots", "stale")) {
		t.Errorf("after Clean: %q; the stale one there: %v", got, exists(l.path("boots", "stale")))
	}
}

func TestLock(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := l.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.lock(); err == nil {
		t.Error("locked twice")
	}
	unlock()
	if unlock, err = l.lock(); err != nil {
		t.Error(err)
	} else {
		unlock()
	}
}

func TestOutputOfAFailure(t *testing.T) {
	_, err := output(context.Background(), "sh", "-c", "echo so it goes >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "so it goes") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, "sleep", "60"); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}
