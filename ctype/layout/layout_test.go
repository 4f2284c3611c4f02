package layout

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// types is a Source of the types listed.
type types map[string]ctype.Type

func (s types) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	t := s[name]
	st, isStruct := t.(*ctype.Struct)
	ok := t != nil
	switch kind {
	case ctype.StructKind:
		ok = isStruct && !st.Union
	case ctype.UnionKind:
		ok = isStruct && st.Union
	}
	if !ok {
		return nil, &ctype.LookupError{In: "test", Tried: []string{name}}
	}
	return t, nil
}

func (s types) Enumerator(name string) (ctype.EnumValue, *ctype.Enum, error) {
	e := s["pid_type"].(*ctype.Enum)
	for _, v := range e.Values {
		if v.Name == name {
			return v, e, nil
		}
	}
	return ctype.EnumValue{}, nil, &ctype.LookupError{In: "test", Tried: []string{name}}
}

var (
	i32  = &ctype.Int{Name: "int", Bytes: 4, Signed: true}
	u64  = &ctype.Int{Name: "unsigned long", Bytes: 8}
	char = &ctype.Int{Name: "char", Bytes: 1, Signed: true, Char: true}
)

func member(name string, off uint64, t ctype.Type) ctype.Member {
	return ctype.Member{Name: name, Type: t, Off: off, BitOff: off * 8}
}

func testTypes() types {
	thread := &ctype.Struct{Name: "thread_struct", Bytes: 16, Members: []ctype.Member{member("sp", 8, u64)}}
	atomic := &ctype.Typedef{Name: "atomic_t", Target: &ctype.Struct{Bytes: 4, Members: []ctype.Member{member("counter", 0, i32)}}}
	anon := &ctype.Struct{Bytes: 8, Union: true, Members: []ctype.Member{member("ptr", 0, ctype.PointerTo(u64)), member("word", 0, u64)}}
	task := &ctype.Struct{Name: "task_struct", Bytes: 64, Members: []ctype.Member{
		member("state", 0, i32),
		{Name: "on", Type: i32, Off: 4, BitOff: 34, Bits: 3},
		{Name: "wide", Type: u64, Off: 4, BitOff: 37, Bits: 17},
		member("comm", 8, &ctype.Array{Elem: char, Len: 16}),
		member("", 24, anon),
		member("thread", 32, thread),
		member("usage", 48, atomic),
		member("end", 52, &ctype.Array{Elem: i32, Len: 3}),
	}}
	return types{
		"task_struct": task, "u": anon, "atomic_t": atomic,
		"gone":     &ctype.Forward{Name: "gone"},
		"pid_type": &ctype.Enum{Name: "pid_type", Bytes: 4, Values: []ctype.EnumValue{{Name: "PIDTYPE_SID", Value: 3}}},
	}
}

type fields struct {
	State  Field `k:"task_struct.__state|task_struct.state"`
	On     Field `k:"task_struct.on"`
	Wide   Field `k:"task_struct.wide"`
	Comm   Field `k:"task_struct.comm"`
	Ptr    Field `k:"task_struct.ptr"`
	SP     Field `k:"task_struct.thread.sp"`
	Usage  Field `k:"task_struct.usage"`
	Last   Field `k:"task_struct.end[2]"`
	Absent Field `k:"task_struct.nothing,optional"`
	More   struct {
		Task Size `k:"struct task_struct"`
		Atom Size `k:"atomic_t"`
		SID  Enum `k:"PIDTYPE_NEW|PIDTYPE_SID"`
	}
	Other int // has no tag, and is left alone
}

// memory is a Reader of one object at a fixed address.
type memory []byte

const objectAt mem.Virt = 0xffff888000001000

func (m memory) ReadMem(p []byte, addr mem.Virt) (int, error) {
	if addr < objectAt || addr >= objectAt+mem.Virt(len(m)) {
		return 0, mem.Fault(addr, mem.ErrUnmapped)
	}
	n := copy(p, m[addr-objectAt:])
	if n < len(p) {
		return n, mem.Fault(addr+mem.Virt(n), mem.ErrUnmapped)
	}
	return n, nil
}

func object() memory {
	b := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(b[0:], 0xfffffffe)
	le.PutUint32(b[4:], 5<<2|0x1abcd<<5)
	copy(b[8:], "swapper/0")
	le.PutUint64(b[24:], 0xffffffff81000000)
	le.PutUint64(b[40:], 0xffffc90000003fb8)
	le.PutUint32(b[48:], 0xffffffff)
	le.PutUint32(b[60:], 77)
	return b
}

func TestBindAndRead(t *testing.T) {
	var f fields
	if err := Bind(testTypes(), &f); err != nil {
		t.Fatal(err)
	}
	minus := func(n int64) uint64 { return uint64(n) }
	tests := []struct {
		f    *Field
		want uint64
	}{
		{&f.State, minus(-2)}, {&f.On, minus(-3)}, {&f.Wide, 0x1abcd}, {&f.Ptr, 0xffffffff81000000},
		{&f.SP, 0xffffc90000003fb8}, {&f.Usage, minus(-1)}, {&f.Last, 77},
	}
	for _, tt := range tests {
		if got, err := tt.f.Uint(object()); got != tt.want || err != nil {
			t.Errorf("%s of the bytes = %#x, %v", tt.f, got, err)
		}
		if got, err := tt.f.Read(object(), objectAt); got != tt.want || err != nil {
			t.Errorf("%s from memory = %#x, %v", tt.f, got, err)
		}
	}
	if b, err := f.Comm.ReadBytes(object(), objectAt); mem.Fixed(b) != "swapper/0" || err != nil {
		t.Errorf("comm %q, %v", b, err)
	}
	if f.State.Name != "task_struct.state" || f.SP.Off != 40 || f.Wide.Size != 3 || f.Absent.OK() {
		t.Errorf("bound to %+v", f)
	}
	if f.More.Task.Bytes != 64 || f.More.Atom.Bytes != 4 || f.More.SID.Value != 3 || f.More.SID.Err() != nil {
		t.Errorf("sizes and enumerators %+v", f.More)
	}
	if at, err := f.SP.Container(objectAt + 40); at != objectAt || err != nil {
		t.Errorf("container %v, %v", at, err)
	}
	if at, err := f.SP.Addr(objectAt); at != objectAt+40 || err != nil {
		t.Errorf("address %v, %v", at, err)
	}
}

func TestUnboundReadsFail(t *testing.T) {
	var f fields
	if err := Bind(testTypes(), &f); err != nil {
		t.Fatal(err)
	}
	var never Field
	for _, u := range []*Field{&f.Absent, &never} {
		_, err1 := u.Uint(object())
		_, err2 := u.Read(object(), objectAt)
		_, err3 := u.ReadBytes(object(), objectAt)
		_, err4 := u.Addr(objectAt)
		_, err5 := u.Container(objectAt)
		_, err6 := u.ReadPtr(object(), objectAt)
		for i, err := range []error{err1, err2, err3, err4, err5, err6, u.Err()} {
			if u == &never && !errors.Is(err, ErrUnbound) || u != &never && !errors.Is(err, ctype.ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
	if !errors.Is(new(Size).Err(), ErrUnbound) || !errors.Is(new(Enum).Err(), ErrUnbound) {
		t.Error("an unbound size or enumerator has no error")
	}
}

func TestReadErrors(t *testing.T) {
	var f fields
	if err := Bind(testTypes(), &f); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SP.Uint(object()[:44]); err == nil || err.Error() != "task_struct.thread.sp: 8 bytes at 40 of an object read to 44" {
		t.Error(err)
	}
	if _, err := f.Comm.Uint(object()); err == nil || err.Error() != "task_struct.comm is a char [16], not an integer" {
		t.Error(err)
	}
	_, err := f.SP.Read(object(), objectAt+32)
	if !errors.Is(err, mem.ErrUnmapped) || !strings.HasPrefix(err.Error(), "task_struct.thread.sp of 0xffff888000001020: read virt") {
		t.Error(err)
	}
}

func TestBindReportsEveryMiss(t *testing.T) {
	var f struct {
		A Field `k:"task_struct.x|task_struct.y"`
		B Field `k:"task_struct.comm"`
		C Field `k:"nothing.z"`
		D Field `k:"gone.z"`
		E Size  `k:"struct gone"`
		F Enum  `k:"PIDTYPE_NONE"`
		G Field `k:"task_struct.end[3]"`
	}
	err := Bind(testTypes(), &f)
	if !errors.Is(err, ctype.ErrNotFound) || len(strings.Split(err.Error(), "\n")) != 6 {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(err.Error(), "\n"); first != "types of this kernel: no task_struct.x or task_struct.y" {
		t.Error(first)
	}
	if !f.B.OK() || f.A.OK() || f.E.OK() || f.F.OK() {
		t.Errorf("%+v", f)
	}
}

func TestBadTags(t *testing.T) {
	tests := []struct {
		dst  any
		want string
	}{
		{fields{}, "layout: layout.fields: want a pointer to a struct"},
		{new(int), "layout: *int: want a pointer to a struct"},
		{&struct{ A Field }{}, "layout: A: no k tag"},
		{&struct {
			A int `k:"a.b"`
		}{}, "layout: A: a int cannot have a k tag"},
		{&struct {
			a Field `k:"a.b"`
		}{}, "layout: a: not exported, so it cannot be filled"},
		{&struct {
			A Field `k:"a.b,maybe"`
		}{}, `layout: A: unknown option "maybe"`},
		{&struct {
			A Field `k:"a.b| a.c"`
		}{}, `layout: A: bad name " a.c" in tag "a.b| a.c"`},
		{&struct {
			A Field `k:"a"`
		}{}, `layout: A: "a" does not name a member`},
		{&struct {
			A Size `k:"a.b"`
		}{}, `layout: A: "a.b" does not name a size`},
	}
	for _, tt := range tests {
		err := Bind(testTypes(), tt.dst)
		if _, ok := errors.AsType[*TagError](err); !ok || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

func TestManifest(t *testing.T) {
	got, err := Manifest(&fields{})
	if err != nil || len(got) != 12 {
		t.Fatal(got, err)
	}
	if e := got[0]; e.Field != "fields.State" || e.Kind != "member" || e.Optional || !slices.Equal(e.Names, []string{"task_struct.__state", "task_struct.state"}) {
		t.Errorf("%+v", e)
	}
	if e := got[11]; e.Field != "fields.More.SID" || e.Kind != "enumerator" {
		t.Errorf("%+v", e)
	}
}

// BenchmarkBind binds 60 members, about as many as listing tasks needs.
func BenchmarkBind(b *testing.B) {
	src := testTypes()
	var f [5]fields
	b.ReportAllocs()
	for b.Loop() {
		for i := range f {
			if err := Bind(src, &f[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkUint(b *testing.B) {
	var f fields
	if err := Bind(testTypes(), &f); err != nil {
		b.Fatal(err)
	}
	o := object()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Usage.Uint(o); err != nil {
			b.Fatal(err)
		}
	}
}
