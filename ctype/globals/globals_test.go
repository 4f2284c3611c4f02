package globals

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
)

// kernel has every named type but those listed; per_cpu is its own variable.
type kernel map[string]bool

func (k kernel) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	switch {
	case k[name], kind == ctype.VarKind && name != "per_cpu":
		return nil, &ctype.LookupError{In: "test", Tried: []string{name}}
	case kind == ctype.StructKind:
		return &ctype.Struct{Name: name, Bytes: 8}, nil
	}
	return &ctype.Int{Name: name, Bytes: 4}, nil
}

func (k kernel) Enumerator(name string) (ctype.EnumValue, *ctype.Enum, error) {
	return ctype.EnumValue{Name: name, Value: 7}, nil, nil
}

func TestFind(t *testing.T) {
	tests := []struct {
		lacks kernel
		kind  ctype.Kind
		name  string
		want  string
	}{
		{kernel{}, ctype.VarKind, "init_task", "struct task_struct"},
		{kernel{}, ctype.VarKind, "modules", "struct list_head"},
		{kernel{}, ctype.VarKind, "per_cpu", "per_cpu"},
		{kernel{}, ctype.VarKind, "clear_seq", "struct latched_seq"},
		{kernel{"latched_seq": true}, ctype.VarKind, "clear_seq", "u64"},
		{kernel{}, ctype.StructKind, "rq", "struct rq"},
		{kernel{"latched_seq": true, "u64": true}, ctype.VarKind, "clear_seq", ""},
		{kernel{}, ctype.VarKind, "no_such_variable", ""},
		{kernel{"rq": true}, ctype.StructKind, "rq", ""},
	}
	for _, tt := range tests {
		got, err := New(tt.lacks).Find(tt.kind, tt.name)
		if tt.want == "" {
			if !errors.Is(err, ctype.ErrNotFound) {
				t.Errorf("%s: %v, %v", tt.name, got, err)
			}
		} else if err != nil || ctype.Describe(got) != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestEnumerators(t *testing.T) {
	if v, _, err := New(kernel{}).Enumerator("PIDTYPE_SID"); v.Value != 7 || err != nil {
		t.Error(v, err)
	}
	none := New(struct{ ctype.Source }{kernel{}})
	if _, _, err := none.Enumerator("PIDTYPE_SID"); !errors.Is(err, ctype.ErrNotFound) {
		t.Error(err)
	}
}

// Every line of the table must be one variable that can be read.
func TestTable(t *testing.T) {
	line := regexp.MustCompile(`^\w+: \S.*\S$`)
	lines := 0
	for l := range strings.Lines(table) {
		if l = strings.TrimSuffix(l, "\n"); l == "" {
			continue
		}
		if lines++; !line.MatchString(l) {
			t.Errorf("bad line %q", l)
		}
	}
	s := New(kernel{})
	got := 0
	for range s.Declared() {
		got++
	}
	if got != lines || len(s.decls) != lines {
		t.Errorf("%d lines, %d names, %d declared", lines, len(s.decls), got)
	}
}
