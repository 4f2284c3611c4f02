package ctype

import (
	"errors"
	"strings"
	"testing"
)

func TestDeclare(t *testing.T) {
	i := &Int{Name: "int", Bytes: 4, Signed: true}
	list := &Struct{Name: "list_head", Bytes: 16}
	ch := &Int{Name: "char", Bytes: 1}
	fn := &FuncProto{Result: PointerTo(list), Params: []Param{{Type: i}, {Type: PointerTo(&Void{})}}}
	variadic := &FuncProto{Result: i, Params: []Param{{Type: PointerTo(&Qualified{"const", ch})}}, Variadic: true}
	tests := []struct {
		t    Type
		name string
		want string
	}{
		{PointerTo(list), "next", "struct list_head *next"},
		{PointerTo(PointerTo(ch)), "argv", "char **argv"},
		{&Array{Elem: PointerTo(i), Len: 3}, "a", "int *a[3]"},
		{PointerTo(&Array{Elem: i, Len: 3}), "a", "int (*a)[3]"},
		{&Array{Elem: &Array{Elem: i, Len: 2}, Len: 3}, "a", "int a[3][2]"},
		{&Array{Elem: ch}, "data", "char data[]"},
		{PointerTo(fn), "fn", "struct list_head *(*fn)(int, void *)"},
		{fn, "fn", "struct list_head *fn(int, void *)"},
		{variadic, "printk", "int printk(const char *, ...)"},
		{PointerTo(&FuncProto{Result: &Void{}}), "", "void (*)(void)"},
		{&Qualified{"const", PointerTo(ch)}, "p", "char * const p"},
		{&Qualified{"volatile", PointerTo(&Qualified{"", PointerTo(i)})}, "p", "int ** volatile p"},
		{&Qualified{"const", &Qualified{"volatile", i}}, "", "const volatile int"},
		{&Enum{Name: "pid_type"}, "type", "enum pid_type type"},
		{&Enum{}, "type", "enum {...} type"},
		{&Struct{Union: true}, "", "union {...}"},
		{&Forward{Name: "x", Union: true}, "x", "union x x"},
		{&Typedef{Name: "u32", Target: i}, "x", "u32 x"},
		{&Float{Name: "double"}, "d", "double d"},
		{&Void{}, "", "void"},
		{&Array{Elem: i, Len: 4}, "", "int [4]"},
	}
	for _, tt := range tests {
		if got := Declare(tt.t, tt.name); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// self resolves every id to a function that takes two pointers to itself.
type self struct{ f *FuncProto }

func (s *self) Resolve(uint64) Type { return s.f }

func TestDeclareEndsOnACircle(t *testing.T) {
	s := &self{}
	p := LazyPointer(s, 1)
	s.f = &FuncProto{Result: p, Params: []Param{{Type: p}, {Type: p}}}
	if got := Describe(p); !strings.Contains(got, "...") || len(got) > 4096 {
		t.Errorf("%d bytes: %.80s", len(got), got)
	}
}

func TestPathErrors(t *testing.T) {
	i := &Int{Name: "int", Bytes: 4}
	st := &Struct{Name: "s", Bytes: 16, Members: []Member{{Name: "a", Type: &Array{Elem: i, Len: 2}}, {Name: "p", Type: PointerTo(i), Off: 8}}}
	tests := []struct {
		path, want string
		missing    bool
	}{
		{"b", "struct s: no b", true},
		{"", "struct s: no ", true},
		{"a.x", "int [2]: no x", true},
		{"p.x", "int *: no x", true},
		{"a[2]", "a[2]: index 2 of an array of 2", false},
		{"a[x]", `a[x]: bad array index "[x]"`, false},
		{"a[1", `a[1: bad array index "[1"`, false},
		{"p[0]", "p[0]: int * is not an array", false},
	}
	for _, tt := range tests {
		_, err := Path(st, tt.path)
		if err == nil || err.Error() != tt.want || errors.Is(err, ErrNotFound) != tt.missing {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
	if m, err := Path(st, "a[1]"); err != nil || m.Off != 4 || m.Type != Type(i) || m.Name != "a[1]" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestBits(t *testing.T) {
	tests := []struct {
		b            []byte
		first, width uint64
		signed       bool
		want         uint64
	}{
		{[]byte{0xff}, 0, 8, true, ^uint64(0)},
		{[]byte{0xff}, 3, 2, false, 3},
		{[]byte{0x34, 0x12}, 4, 8, false, 0x23},
		{[]byte{0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 7, 64, false, ^uint64(0)},
		{[]byte{0, 0, 0, 0x80}, 0, 32, true, 0xffffffff80000000},
		{nil, 0, 8, false, 0},
	}
	for _, tt := range tests {
		if got := Bits(tt.b, tt.first, tt.width, tt.signed); got != tt.want {
			t.Errorf("Bits(% x, %d, %d, %v) = %#x, want %#x", tt.b, tt.first, tt.width, tt.signed, got, tt.want)
		}
	}
}

func TestScalar(t *testing.T) {
	i := &Int{Name: "int", Bytes: 4, Signed: true}
	atomic := &Struct{Bytes: 4, Members: []Member{{Name: "counter", Type: i}}}
	refcount := &Typedef{Name: "refcount_t", Target: &Struct{Bytes: 4, Members: []Member{{Name: "refs", Type: atomic}}}}
	tests := []struct {
		t          Type
		ok, signed bool
	}{
		{refcount, true, true},
		{PointerTo(i), true, false},
		{&Enum{Bytes: 4, Signed: true}, true, true},
		{&Int{Bytes: 16}, false, false},
		{&Array{Elem: i, Len: 1}, false, false},
		{&Struct{Bytes: 8, Members: []Member{{Type: i}}}, false, false},
		{&Void{}, false, false},
	}
	for _, tt := range tests {
		if ok, signed := Scalar(tt.t); ok != tt.ok || ok && signed != tt.signed {
			t.Errorf("Scalar(%s) = %v, %v", Describe(tt.t), ok, signed)
		}
	}
}
