package ctype

import (
	"errors"
	"testing"
)

func TestStripEndsOnACycle(t *testing.T) {
	a := &Typedef{Name: "a"}
	a.Target = &Qualified{Qualifier: "const", Target: a}
	if _, ok := Strip(a).(*Void); !ok {
		t.Errorf("circular typedef became %T", Strip(a))
	}
	i := &Int{Name: "int", Bytes: 4}
	if Strip(&Typedef{Name: "u", Target: &Qualified{Target: i}}) != Type(i) {
		t.Error("typedef of a qualified int is not the int")
	}
}

func TestArraySizeDoesNotOverflow(t *testing.T) {
	huge := &Array{Elem: &Int{Bytes: 8}, Len: 1 << 62}
	if huge.Size() != 1<<63 {
		t.Errorf("size %#x", huge.Size())
	}
}

func TestLookupErrorIsNotFound(t *testing.T) {
	err := error(&LookupError{In: "struct task_struct", Tried: []string{"__state", "state"}})
	if !errors.Is(err, ErrNotFound) || err.Error() != "struct task_struct: no __state or state" {
		t.Error(err)
	}
}
