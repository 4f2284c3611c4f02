package obj

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// memory holds bytes at base; all else is unmapped.
type memory []byte

const base mem.Virt = 0xffff888000001000

func (m memory) ReadMem(p []byte, addr mem.Virt) (int, error) {
	if addr < base || addr >= base+mem.Virt(len(m)) {
		return 0, mem.Fault(addr, mem.ErrUnmapped)
	}
	n := copy(p, m[addr-base:])
	if n < len(p) {
		return n, mem.Fault(addr+mem.Virt(n), mem.ErrUnmapped)
	}
	return n, nil
}

var (
	i32  = &ctype.Int{Name: "int", Bytes: 4, Signed: true}
	char = &ctype.Int{Name: "char", Bytes: 1, Char: true}
	mm   = &ctype.Struct{Name: "mm_struct", Bytes: 0x58, Members: []ctype.Member{
		member("count", 0, i32), member("pgd", 0x50, ctype.PointerTo(&ctype.Void{})),
	}}
	list = listHead()
	task = &ctype.Struct{Name: "task_struct", Bytes: 0x80, Members: []ctype.Member{
		member("pid", 0, i32),
		{Name: "flag", Type: i32, Off: 4, BitOff: 35, Bits: 4},
		member("mm", 8, ctype.PointerTo(mm)),
		member("active_mm", 16, ctype.PointerTo(mm)),
		member("comm", 24, &ctype.Array{Elem: char, Len: 4}),
		member("name", 32, ctype.PointerTo(char)),
		member("tasks", 40, list),
		member("ints", 48, &ctype.Array{Elem: i32, Len: 2}),
		member("table", 56, ctype.PointerTo(i32)),
		member("stack", 64, ctype.PointerTo(&ctype.Void{})),
		member("tail", 0x80, &ctype.Array{Elem: char}),
	}}
)

func listHead() *ctype.Struct {
	l := &ctype.Struct{Name: "list_head", Bytes: 8}
	l.Members = []ctype.Member{member("next", 0, ctype.PointerTo(l))}
	return l
}

func testMemory() memory {
	b := make([]byte, 0x100)
	le := binary.LittleEndian
	le.PutUint32(b, 0xffffffff)
	le.PutUint32(b[4:], 9<<3)
	le.PutUint64(b[16:], uint64(base)+0x90) // active_mm
	copy(b[24:], "swap")
	le.PutUint64(b[32:], uint64(base)+0x70) // name
	copy(b[0x70:], "long name\x00")
	le.PutUint64(b[40:], uint64(base)+40) // tasks.next: itself
	le.PutUint32(b[52:], 7)
	le.PutUint64(b[56:], uint64(base)+48) // table
	le.PutUint64(b[64:], 0x1000)          // stack
	le.PutUint64(b[0x90+0x50:], 0xabc)
	copy(b[0x80:], "tail\x00")
	return b
}

func member(name string, off uint64, t ctype.Type) ctype.Member {
	return ctype.Member{Name: name, Type: t, Off: off, BitOff: off * 8}
}

func initTask() Value { return At(testMemory(), task, base, "init_task") }

func TestNumbers(t *testing.T) {
	v := initTask()
	tests := []struct {
		v    Value
		want int64
		path string
	}{
		{v.Field("pid"), -1, "init_task.pid"},
		{v.Field("flag"), -7, "init_task.flag"},
		{v.Field("mm"), 0, "init_task.mm"},
		{v.Field("old", "active_mm").Field("pgd"), 0xabc, "init_task.active_mm.pgd"},
		{v.Field("active_mm").Deref().Field("pgd"), 0xabc, "*init_task.active_mm.pgd"},
		{v.Field("ints").Index(1), 7, "init_task.ints[1]"},
		{v.Field("ints[1]"), 7, "init_task.ints[1]"},
		{v.Field("table").Index(1), 7, "init_task.table[1]"},
		{v.Field("ints").Cast(i32), 0, "init_task.ints"},
		{v.Field("tasks").Container(task, "tasks").Field("pid"), -1, "container_of(init_task.tasks, struct task_struct, tasks).pid"},
	}
	for _, tt := range tests {
		if got, err := tt.v.Int(); got != tt.want || err != nil || tt.v.Path() != tt.path {
			t.Errorf("%s = %d, %v; want %s = %d", tt.v.Path(), got, err, tt.path, tt.want)
		}
	}
	if p, err := v.Field("stack").Ptr(); p != 0x1000 || err != nil {
		t.Error(p, err)
	}
	if at, err := v.Field("tasks").Addr(); at != base+40 || err != nil {
		t.Error(at, err)
	}
	if !v.Has("mm") || v.Has("nothing") || !v.Field("active_mm").Has("pgd") || v.Field("nothing").Has("mm") {
		t.Error("Has is wrong")
	}
}

func TestStringsAndBytes(t *testing.T) {
	v := initTask()
	for name, want := range map[string]string{"comm": "swap", "name": "long name", "tail": "tail"} {
		if got, err := v.Field(name).CString(64); got != want || err != nil {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	if b, err := v.Field("comm").Bytes(); string(b) != "swap" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := v.Field("flag").Bytes(); len(b) != 1 || err != nil {
		t.Errorf("% x, %v", b, err)
	}
}

func TestErrorsGiveThePath(t *testing.T) {
	v := initTask()
	uint := func(v Value) error { _, err := v.Uint(); return err }
	str := func(v Value) error { _, err := v.CString(9); return err }
	all := func(v Value) error { _, err := v.Bytes(); return err }
	lost := At(testMemory(), task, 0x40, "lost")
	tests := []struct {
		err  error
		want string
		is   error
	}{
		{uint(v.Field("mm").Field("pgd")), "init_task.mm: NULL pointer", ErrNull},
		{uint(lost.Field("mm").Field("pgd")), "lost.mm: read virt 0x48: no page-table mapping", mem.ErrUnmapped},
		{uint(v.Field("__state", "state").Index(3).Deref()), "init_task: struct task_struct: no __state or state", ctype.ErrNotFound},
		{uint(v.Field("tasks").Container(task, "x")), "init_task.tasks: struct task_struct: no x", ctype.ErrNotFound},
		{uint(v.Field("pid").Deref()), "init_task.pid: int is no pointer", nil},
		{uint(v.Field("pid").Index(0)), "init_task.pid: int is no array", nil},
		{uint(v.Field("ints").Index(2)), "init_task.ints: index 2 of an array of 2", nil},
		{uint(v.Field("stack").Index(2)), "init_task.stack: elements of void have no size", nil},
		{uint(v.Field("comm")), "init_task.comm: char [4] is no integer", nil},
		{str(v.Field("ints")), "init_task.ints: int [2] is no string", nil},
		{str(v.Field("table")), "init_task.table: int * is no string", nil},
		{str(v.Field("stack").Deref()), "*init_task.stack: void is no string", nil},
		{str(At(testMemory(), ctype.PointerTo(char), base+64, "p")), "p: read virt 0x1000: no page-table mapping", mem.ErrUnmapped},
		{str(At(testMemory(), ctype.PointerTo(char), base+8, "p")), "p: NULL pointer", ErrNull},
		{all(v.Field("tail")), "init_task.tail: char [] of 0 bytes cannot be read whole", nil},
		{all(lost), "lost: read virt 0x40: no page-table mapping", mem.ErrUnmapped},
		{all(v.Field("x")), "init_task: struct task_struct: no x", ctype.ErrNotFound},
		{str(v.Field("x")), "init_task: struct task_struct: no x", ctype.ErrNotFound},
	}
	for _, tt := range tests {
		if tt.err == nil || tt.err.Error() != tt.want || tt.is != nil && !errors.Is(tt.err, tt.is) {
			t.Errorf("%v, want %s", tt.err, tt.want)
		}
	}
}

func TestPathOfALongWalkIsBounded(t *testing.T) {
	v := initTask().Field("tasks")
	for range 1000 {
		v = v.Field("next")
	}
	if v.Err() != nil || len(v.Path()) > maxPath+3 || !strings.HasPrefix(v.Path(), "...") {
		t.Errorf("%d bytes of path, %v", len(v.Path()), v.Err())
	}
}
