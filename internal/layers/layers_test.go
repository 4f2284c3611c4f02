package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/kinquest/inquest"
)

// TestHouse checks every Go file of the module, tests apart, against the plan.
func TestHouse(t *testing.T) {
	plan, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && skipDir(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		checkFile(t, plan, filepath.ToSlash(dir), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plan.Unused() {
		t.Errorf("layers.txt: nothing needs %q", line)
	}
	if files < 10 {
		t.Errorf("only %d files found: looked in the wrong place?", files)
	}
}

func skipDir(name string) bool {
	return name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func checkFile(t *testing.T, plan *Plan, pkg, path string) {
	src, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	for _, err := range check(plan, pkg, path, src) {
		t.Errorf("%s: %v", strings.TrimPrefix(path, root+"/"), err)
	}
}

// check gives the rules that one file breaks.
func check(plan *Plan, pkg, name string, src []byte) (broken []error) {
	note := func(err error) {
		if err != nil {
			broken = append(broken, err)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil // the compiler's business
	}
	for _, imp := range f.Imports {
		p, _ := strconv.Unquote(imp.Path.Value)
		if p == module {
			note(plan.Import(pkg, "."))
		} else if to, ok := strings.CutPrefix(p, module+"/"); ok {
			note(plan.Import(pkg, to))
		}
		first, _, _ := strings.Cut(p, "/")
		if p != "net/netip" && p != "net/url" { // types without traffic
			note(plan.Use(pkg, first))
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "os" {
				note(plan.Use(pkg, "os."+n.Sel.Name))
			}
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				note(plan.Use(pkg, "init"))
			}
		}
		return true
	})
	return broken
}

func TestPlanRefuses(t *testing.T) {
	plan, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		pkg, src string
		broken   int
	}{
		{"mem", `import "github.com/kinquest/inquest/dump"`, 1},
		{"dump", `import "github.com/kinquest/inquest/mem"`, 0},
		{"dump/kdump", `import "github.com/kinquest/inquest/dump/elfcore"`, 1},
		{"dump/kdump", `import "github.com/kinquest/inquest/internal/bits"`, 0},
		{"kernel/task", `import "github.com/kinquest/inquest/command"`, 1},
		{"command/system", `import "github.com/kinquest/inquest/command"`, 0},
		{"command/system", `import "github.com/kinquest/inquest/command/tasks"`, 1},
		{"command/system", `import "github.com/kinquest/inquest"`, 1},
		{"cmd/inquest", `import "github.com/kinquest/inquest/command"`, 0},
		{"attic", `import "github.com/kinquest/inquest/mem"`, 1},
		{"mem", `import "github.com/kinquest/inquest/attic"`, 1},
		{"mem", `import "unsafe"`, 1},
		{"internal/mmap", `import "unsafe"`, 0},
		{"internal/mmap", `import "github.com/kinquest/inquest/mem"`, 1},
		{"internal/dumptest", `import "github.com/kinquest/inquest/dump"`, 0},
		{"dump", `import "github.com/kinquest/inquest/internal/dumptest"`, 1},
		{"kernel", `import "net/http"`, 1},
		{"kernel", `import "net/netip"`, 0},
		{"debuginfo", `import "net/http"`, 0},
		{"kernel", `import "log/slog"`, 1},
		{"kernel", `import "os"; func f() { os.Stdout.Sync(); os.Exit(1) }`, 2},
		{"cmd/inquest", `import "os"; func f() { os.Stdout.Sync(); os.Exit(1) }`, 0},
		{"cmd/inquest", `func init() {}`, 1},
		{"mem", `type T struct{}; func (T) init() {}`, 0},
	}
	for _, tt := range tests {
		got := check(plan, tt.pkg, "x.go", []byte("package x; "+tt.src))
		if len(got) != tt.broken {
			t.Errorf("%s with %s: %v", tt.pkg, tt.src, got)
		}
	}
}

func TestPlanIsRead(t *testing.T) {
	for _, bad := range []string{"layer x mem", "layer 1", "sideways a", "sideways a b c", "only os.Exit", "floor 1 mem"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
