package btf

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kinquest/inquest/ctype"
)

// kernel is a small vmlinux: ids in the margin.
const kernel = `
	int int 4 1
	int char 1 0
	ptr 4
	struct list_head 16 next:3@0 prev:3@64
	array 2 16
	struct task_struct 64 __state:7@0 flag_a:7@32:1 flag_b:1@33:5 tasks:4@64 comm:5@192 -:14@320 on_stack:8@384
	typedef u32 1
	const 7
	enum state 4 RUNNING=0 DEAD=-1
	enum64 wide 8 HUGE=0x123456789a
	proto 1 task:12 -:0
	ptr 6
	func do_it 11
	union - 8 pid:7@0 ptr:12@0
	var runqueue 6
	datasec .data..percpu 4096 15@1024:64
	fwd opaque 0
	struct twin 4 a:1@0
	struct twin 8 a:1@0 b:1@32
	float double 8
	typetag rcu 6
	ptr 21
	decltag note 6
	uenum hex 4 TOP=0xffffffff
	struct empty 0
`

func parse(t testing.TB, text string, base *Spec) *Spec {
	t.Helper()
	data := []byte(nil)
	if base == nil {
		data = build(t, text)
	} else {
		data = buildOn(t, base, text)
	}
	s, err := Parse(data, base)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find[T ctype.Type](t testing.TB, s *Spec, kind ctype.Kind, name string) T {
	t.Helper()
	got, err := s.Find(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	return got.(T)
}

func TestStructMembers(t *testing.T) {
	s := parse(t, kernel, nil)
	task := find[*ctype.Struct](t, s, ctype.StructKind, "task_struct")
	var got []string
	for _, m := range task.Members {
		got = append(got, ctype.Declare(m.Type, m.Name))
	}
	want := []string{"u32 __state", "u32 flag_a", "int flag_b", "struct list_head tasks", "char comm[16]", "union {...}", "const u32 on_stack"}
	if !slices.Equal(got, want) {
		t.Errorf("members %q", got)
	}
	if m := task.Members[2]; m.Off != 4 || m.BitOff != 33 || m.Bits != 5 {
		t.Errorf("flag_b = %+v", m)
	}
	if m, ok := task.Member("ptr"); !ok || m.Off != 40 {
		t.Errorf("member of the anonymous union: %+v, %v", m, ok)
	}
	if m, err := ctype.Path(task, "comm[3]"); err != nil || m.Off != 27 || m.BitOff != 27*8 {
		t.Errorf("comm[3] = %+v, %v", m, err)
	}
}

func TestIdentityThroughPointers(t *testing.T) {
	s := parse(t, kernel, nil)
	lh := find[*ctype.Struct](t, s, ctype.StructKind, "list_head")
	next := lh.Members[0].Type.(*ctype.Pointer)
	if next.Target() != ctype.Type(lh) || lh.Members[1].Type != ctype.Type(next) {
		t.Error("list_head.next does not lead back to the same struct list_head")
	}
}

func TestFunctionsVariablesEnumerators(t *testing.T) {
	s := parse(t, kernel, nil)
	f := find[*ctype.FuncProto](t, s, ctype.FuncKind, "do_it")
	if got := ctype.Declare(f, "do_it"); got != "int do_it(struct task_struct *, ...)" {
		t.Errorf("function %q", got)
	}
	v, err := s.Var("runqueue")
	if err != nil || v.Section != ".data..percpu" || v.Off != 1024 || v.Bytes != 64 || ctype.Describe(v.Type) != "struct task_struct" {
		t.Errorf("variable %+v, %v", v, err)
	}
	for name, want := range map[string]uint64{"DEAD": ^uint64(0), "HUGE": 0x123456789a, "TOP": 0xffffffff} {
		if e, _, err := s.Enumerator(name); err != nil || e.Value != want {
			t.Errorf("%s = %#x, %v", name, e.Value, err)
		}
	}
	if _, _, err := s.Enumerator("NONE"); !errors.Is(err, ctype.ErrNotFound) {
		t.Errorf("missing enumerator: %v", err)
	}
}

func TestEnumsBeforeTheFlagAreSigned(t *testing.T) {
	s := parse(t, "uenum old 4 MINUS=-5", nil)
	if e, enum, err := s.Enumerator("MINUS"); err != nil || int64(e.Value) != -5 || !enum.Signed {
		t.Errorf("%+v, %v, %v", e, enum, err)
	}
}

func TestFindChoosesAndMisses(t *testing.T) {
	s := parse(t, kernel, nil)
	if twin := find[*ctype.Struct](t, s, ctype.AnyKind, "twin"); twin.Bytes != 8 {
		t.Errorf("struct twin of %d bytes, want the largest", twin.Bytes)
	}
	if all := s.All(ctype.StructKind, "twin"); len(all) != 2 || all[0].Size() != 4 {
		t.Errorf("all twins: %v", all)
	}
	if _, ok := find[ctype.Type](t, s, ctype.StructKind, "opaque").(*ctype.Forward); !ok {
		t.Error("struct opaque is not a forward declaration")
	}
	tests := []struct {
		kind ctype.Kind
		name string
		want string
	}{
		{ctype.UnionKind, "opaque", "BTF of vmlinux: no union opaque"},
		{ctype.StructKind, "u32", "BTF of vmlinux: no struct u32"},
		{ctype.StructKind, "", "BTF of vmlinux: no struct "},
		{ctype.AnyKind, "rcu", "BTF of vmlinux: no rcu"},
		{ctype.FuncKind, "runqueue", "BTF of vmlinux: no function runqueue"},
	}
	for _, tt := range tests {
		if _, err := s.Find(tt.kind, tt.name); !errors.Is(err, ctype.ErrNotFound) || err.Error() != tt.want {
			t.Errorf("Find(%d, %q): %v", tt.kind, tt.name, err)
		}
	}
}

func TestIntegersBySpelling(t *testing.T) {
	s := parse(t, "int long_unsigned_int 8 0\nint int 4 1", nil)
	for _, name := range []string{"unsigned long", "long unsigned int", "unsigned long int"} {
		if got := find[*ctype.Int](t, s, ctype.IntKind, name); got.Name != "unsigned long" || got.Bytes != 8 {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func TestModule(t *testing.T) {
	base := parse(t, kernel, nil)
	mod := parse(t, `
		struct my_dev 24 list:4@0 task:12@128
		ptr 26
		struct opaque 8 x:27@0
		func do_it 30
		proto 0
		var counter 1
		datasec .bss 4 31@0:4`, base)
	dev := find[*ctype.Struct](t, mod, ctype.StructKind, "my_dev")
	if lh := find[*ctype.Struct](t, base, ctype.StructKind, "list_head"); dev.Members[0].Type != ctype.Type(lh) {
		t.Error("the module's list_head is not that of vmlinux")
	}
	if got := ctype.Declare(dev.Members[1].Type, "task"); got != "struct task_struct *task" {
		t.Error(got)
	}
	if o := find[*ctype.Struct](t, mod, ctype.StructKind, "opaque"); o.Bytes != 8 {
		t.Errorf("opaque of %d bytes", o.Bytes)
	}
	if f := find[*ctype.FuncProto](t, mod, ctype.FuncKind, "do_it"); len(f.Params) != 0 {
		t.Errorf("the module's own do_it is hidden by %v", f)
	}
	if v, err := mod.Var("counter"); err != nil || v.Section != ".bss" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := mod.Var("runqueue"); err != nil || v.Off != 1024 {
		t.Errorf("%+v, %v", v, err)
	}
	if e, _, err := mod.Enumerator("HUGE"); err != nil || e.Value != 0x123456789a {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := mod.Find(ctype.StructKind, "none"); err == nil || err.Error() != "BTF of the module and of vmlinux: no struct none" {
		t.Error(err)
	}
}

func TestEntries(t *testing.T) {
	s := parse(t, kernel, nil)
	var got []string
	for e := range s.Entries(ctype.AnyKind) {
		got = append(got, e.Name)
	}
	want := "int char list_head task_struct u32 state wide do_it runqueue twin twin double hex empty"
	if strings.Join(got, " ") != want {
		t.Errorf("entries %q", got)
	}
	for e := range s.Entries(ctype.TypedefKind) {
		if e.Name != "u32" || e.ID != 7 {
			t.Errorf("typedef %+v", e)
		}
	}
}

// A struct of 4.x: bit-fields are integers of odd width, offsets have no width.
func TestBitFieldsWithoutKindFlag(t *testing.T) {
	s := parse(t, `
		raw 0x01000000 4 3
		typedef three 1
		struct old 4 a:2@5
		raw 0x04000001 4 0 2 5`, nil)
	st := find[*ctype.Struct](t, s, ctype.StructKind, "old")
	if m := st.Members[0]; m.Bits != 3 || m.BitOff != 5 || m.Off != 0 {
		t.Errorf("%+v", m)
	}
}

// The header of 2026's kernels has a layout section, by which records of kinds
// that did not exist yet can be skipped.
func TestLayoutSectionSkipsNewKinds(t *testing.T) {
	b := newBuilder(t).lines("int int 4 1\nraw 0x16000002 0 1 2 3 4 5 6 7\ntypedef last 1")
	b.hdrSize = layoutHeader
	if _, err := Parse(b.blob(), nil); err == nil {
		t.Error("kind 22 was taken without a layout section")
	}
	b.layout = make([]byte, 23*4)
	b.layout[22*4], b.layout[22*4+1] = 4, 12
	s, err := Parse(b.blob(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := find[*ctype.Typedef](t, s, ctype.TypedefKind, "last"); got.Target.Size() != 4 {
		t.Errorf("%+v", got)
	}
}

func TestDamage(t *testing.T) {
	tests := []struct{ name, text, find, want string }{
		{"circle of typedefs", "typedef a 2\ntypedef b 1", "a", "contains itself"},
		{"array of itself", "typedef a 2\narray 2 5", "a", "contains itself"},
		{"struct of itself", "struct a 8 x:1@0", "a", "contains itself"},
		{"no such type", "typedef a 77", "a", "no type 77"},
		{"a section as a type", "typedef a 2\ndatasec s 0", "a", "kind 15 is no type"},
		{"member outside", "int int 4 1\nstruct a 4 x:1@8", "a", "runs over its end"},
		{"crooked member", "int int 4 1\nstruct a 8 x:1@9", "a", "at bit 9"},
		{"wide bit-field", "int int 4 1\nstruct a 80 x:1@0:65", "a", "65 bits"},
		{"huge integer", "int a 17 0", "a", "17 bytes"},
		{"odd enum", "enum a 3 X=1", "a", "3 bytes"},
		{"member's name", "int int 4 1\nstruct a 4 x:1@0\nraw 0x04000001 4 9999 1 0\ntypedef b 3", "b", "name offset"},
	}
	for _, tt := range tests {
		s := parse(t, tt.text, nil)
		_, err := s.Find(ctype.AnyKind, tt.find)
		if _, ok := errors.AsType[*FormatError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	s := parse(t, "ptr 9", nil)
	p, err := s.Type(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(*ctype.Pointer).Target().(*ctype.Forward); !ok {
		t.Errorf("pointer to a missing type leads to %v", p.(*ctype.Pointer).Target())
	}
}

func TestBadBlobs(t *testing.T) {
	good := build(t, kernel)
	edit := func(at int, b ...byte) []byte {
		out := slices.Clone(good)
		copy(out[at:], b)
		return out
	}
	tests := []struct {
		name, want string
		b          []byte
	}{
		{"empty", "BTF at 0x0: header cut off after 0 bytes", nil},
		{"magic", "BTF at 0x0: magic 0xeb00, want 0xeb9f", edit(0, 0)},
		{"version", "BTF at 0x2: version 2, want 1", edit(2, 2)},
		{"header size", "BTF at 0x4: header size 8", edit(4, 8)},
		{"types outside", "BTF at 0x8: section of", edit(8, 0xff, 0xff, 0xff, 0xff)},
		{"strings outside", "BTF at 0x10: section of", edit(20, 0xff, 0xff, 0xff, 0xff)},
		{"string without end", "string section", good[:len(good)-1]},
		{"types cut", "cut off at the end", edit(12, 20)},
		{"record cut", "runs over the end", edit(12, 14)},
		{"kind 0", "BTF at 0x18: type 1 has unknown kind 0", edit(24+7, 0)},
		{"name", "BTF at 0x18: type 1: name offset", edit(24, 0xff, 0xff)},
	}
	tests[6].b = edit(len(good)-1, 'x')
	for _, tt := range tests {
		s, err := Parse(tt.b, nil)
		if _, ok := errors.AsType[*FormatError](err); !ok || s != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	base := parse(t, kernel, nil)
	mod := parse(t, "struct m 80 t:6@0 l:4@512", base)
	got := make([]ctype.Type, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			m, err := mod.Find(ctype.StructKind, "m")
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = m.(*ctype.Struct).Members[0].Type
		})
	}
	wg.Wait()
	for _, g := range got {
		if g != got[0] {
			t.Fatal("different Types for one struct")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(build(f, kernel))
	f.Add(build(f, "typedef a 2\ntypedef b 1"))
	base := parse(f, kernel, nil)
	f.Add(buildOn(f, base, "struct my_dev 24 list:4@0 task:12@128"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, base := range []*Spec{nil, base} {
			s, err := Parse(b, base)
			if (s == nil) == (err == nil) {
				t.Fatalf("spec %v and error %v", s, err)
			}
			if err != nil {
				if _, ok := errors.AsType[*FormatError](err); !ok {
					t.Fatalf("%T is not a *FormatError", err)
				}
				continue
			}
			exercise(t, s)
		}
	})
}

// exercise decodes all of a Spec.
func exercise(t *testing.T, s *Spec) {
	for id := range s.end() + 1 {
		typ, err := s.Type(id)
		if (typ == nil) == (err == nil) {
			t.Fatalf("type %v and error %v", typ, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*FormatError](err); !ok {
				t.Fatalf("%T is not a *FormatError", err)
			}
			continue
		}
		typ.Size()
		ctype.Declare(typ, "x")
	}
	for e := range s.Entries(ctype.AnyKind) {
		if _, err := s.Find(e.Kind, e.Name); errors.Is(err, ctype.ErrNotFound) {
			t.Fatalf("entry %+v is not found", e)
		}
		if e.Kind == ctype.VarKind {
			_, _ = s.Var(e.Name)
		}
	}
	_, _, _ = s.Enumerator("RUNNING")
}

// bigKernel has as many types as a distribution kernel.
func bigKernel(b *testing.B) []byte {
	var text strings.Builder
	text.WriteString("int int 4 1\n")
	for i := range 12500 {
		n := "x" + strings.Repeat("y", i%24) + string(rune('a'+i%26)) + strings.Repeat("z", i/1000)
		text.WriteString("typedef t" + n + " 1\nptr 2\nconst 3\nstruct s" + n + " 16 a:3@0 b:3@64\n")
		text.WriteString("proto 1 a:3 b:3\nfunc f" + n + " 6\nfunc g" + n + " 6\nptr 6\n")
	}
	return build(b, text.String())
}

func BenchmarkParse(b *testing.B) {
	data := bigKernel(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	s, err := Parse(bigKernel(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for e := range s.Entries(ctype.StructKind) {
		names = append(names, e.Name)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Find(ctype.StructKind, names[i%len(names)]); err != nil {
			b.Fatal(err)
		}
	}
}
