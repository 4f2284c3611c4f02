package ctext

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

var (
	i32   = &ctype.Int{Name: "int", Bytes: 4, Signed: true}
	u8    = &ctype.Int{Name: "unsigned char", Bytes: 1}
	char  = &ctype.Int{Name: "char", Bytes: 1, Signed: true, Char: true}
	ulong = &ctype.Int{Name: "unsigned long", Bytes: 8}
	boole = &ctype.Int{Name: "_Bool", Bytes: 1, Bool: true}
	color = &ctype.Enum{Name: "color", Bytes: 4, Values: []ctype.EnumValue{{Name: "RED", Value: 1}, {Name: "BLUE", Value: 4}}}
	level = &ctype.Enum{Bytes: 4, Signed: true, Values: []ctype.EnumValue{{Name: "LOW", Value: ^uint64(0)}, {Name: "MID"}, {Name: "TOP", Value: 7}}}
	empty = &ctype.Struct{Name: "empty"}
	fn    = ctype.PointerTo(&ctype.FuncProto{Result: i32, Params: []ctype.Param{{Type: ulong}}})
)

func member(name string, off uint64, t ctype.Type) ctype.Member {
	return ctype.Member{Name: name, Type: t, Off: off, BitOff: off * 8}
}

func structOf(name string, size uint64, members ...ctype.Member) *ctype.Struct {
	return &ctype.Struct{Name: name, Bytes: size, Members: members}
}

// sample has one of everything.
func sample() *ctype.Struct {
	inner := structOf("", 8, member("x", 0, i32), member("y", 4, i32))
	deep := structOf("", 8, member("in", 0, inner))
	anon := &ctype.Struct{Bytes: 8, Union: true, Members: []ctype.Member{member("word", 0, ulong), member("", 0, inner), member("p", 0, inner), member("d", 0, deep)}}
	return structOf("sample", 200,
		member("pid", 0, i32),
		ctype.Member{Name: "on", Type: i32, Off: 4, BitOff: 33, Bits: 3},
		member("", 8, anon),
		member("comm", 16, &ctype.Array{Elem: char, Len: 8}),
		member("none", 24, &ctype.Array{Elem: u8}),
		member("state", 24, u8),
		member("yes", 25, boole),
		member("color", 28, color),
		member("level", 32, level),
		member("next", 40, ctype.PointerTo(empty)),
		member("func", 48, fn),
		member("name", 56, ctype.PointerTo(&ctype.Qualified{Qualifier: "const", Target: char})),
		member("pairs", 64, &ctype.Array{Elem: inner, Len: 2}),
		member("key", 80, empty),
		member("ptrs", 80, &ctype.Array{Elem: ctype.PointerTo(i32), Len: 2}),
		member("cv", 96, &ctype.Qualified{Qualifier: "const", Target: structOf("", 4, member("z", 0, i32))}),
		member("tail", 104, &ctype.Array{Elem: ulong}),
	)
}

const sampleText = `struct sample {
     [0] int pid;
     [4] int on : 3;
         union {
     [8]     unsigned long word;
             struct {
     [8]         int x;
    [12]         int y;
             };
             struct {
     [8]         int x;
    [12]         int y;
     [8]     } p;
             struct {
     [8]         struct {...} in;
     [8]     } d;
         };
    [16] char comm[8];
    [24] unsigned char none[0];
    [24] unsigned char state;
    [25] _Bool yes;
    [28] enum color color;
    [32] enum {LOW = -1, MID, TOP = 7} level;
    [40] struct empty *next;
    [48] int (*func)(unsigned long);
    [56] const char *name;
         struct {
    [64]     int x;
    [68]     int y;
    [64] } pairs[2];
    [80] struct empty key;
    [80] int *ptrs[2];
         const struct {
    [96]     int z;
    [96] } cv;
   [104] unsigned long tail[];
}
SIZE: 200
`

func TestDefinition(t *testing.T) {
	want := strings.ReplaceAll(sampleText, "\n ", "\n")
	if got := Define(sample()).Text(Style{Offsets: true}); got != want {
		t.Errorf("got\n%s", got)
	}
	var plain strings.Builder
	for line := range strings.Lines(want) {
		if i := strings.Index(line, "] "); i >= 0 {
			line = "   " + line[i+1:]
		} else if strings.HasPrefix(line, " ") {
			line = "   " + line[7:]
		}
		plain.WriteString(line)
	}
	if got := Define(sample()).Text(Style{}); got != plain.String() {
		t.Errorf("got\n%s\nwant\n%s", got, plain.String())
	}
}

func TestDefinitionStyles(t *testing.T) {
	list := structOf("list_head", 16)
	list.Members = []ctype.Member{member("next", 0, ctype.PointerTo(list)), member("prev", 8, ctype.PointerTo(list))}
	tests := []struct {
		t    ctype.Type
		s    Style
		want string
	}{
		{list, Style{}, "struct list_head {\n    struct list_head *next;\n    struct list_head *prev;\n}\nSIZE: 16\n"},
		{list, Style{Offsets: true, Hex: true}, "struct list_head {\n   [0x0] struct list_head *next;\n   [0x8] struct list_head *prev;\n}\nSIZE: 0x10\n"},
		{list, Style{Offsets: true, At: 0xffffffff8fb2ed80}, "struct list_head {\n  [ffffffff8fb2ed80] struct list_head *next;\n  [ffffffff8fb2ed88] struct list_head *prev;\n}\nSIZE: 16\n"},
		{list, Style{Offsets: true, Only: "prev"}, "struct list_head {\n   [8] struct list_head *prev;\n}\n"},
		{&ctype.Typedef{Name: "list_t", Target: list}, Style{Only: "next"}, "typedef struct list_head {\n    struct list_head *next;\n} list_t;\n"},
		{&ctype.Typedef{Name: "atomic_t", Target: structOf("", 4, member("counter", 0, i32))}, Style{}, "typedef struct {\n    int counter;\n} atomic_t;\nSIZE: 4\n"},
		{&ctype.Typedef{Name: "pid_t", Target: &ctype.Typedef{Name: "__pid_t", Target: i32}}, Style{}, "typedef int pid_t;\nSIZE: 4\n"},
		{empty, Style{}, "struct empty {\n    <no data fields>\n}\nSIZE: 0\n"},
		{structOf("s", 0, member("key", 0, structOf("", 0))), Style{}, "struct s {\n    struct {\n        <no data fields>\n    } key;\n}\nSIZE: 0\n"},
		{&ctype.Forward{Name: "gone"}, Style{}, "struct gone {\n    <incomplete type>\n}\n"},
		{color, Style{}, "enum color {\n  RED = 1\n  BLUE = 4\n};\n"},
		{level, Style{}, "enum {\n  LOW = -1\n  MID = 0\n  TOP = 7\n};\n"},
		{i32, Style{Hex: true}, "SIZE: 0x4\n"},
	}
	for _, tt := range tests {
		if got := Text(tt.t, tt.s); got != tt.want {
			t.Errorf("%s: got\n%s", ctype.Describe(tt.t), got)
		}
	}
}

func sampleBytes() []byte {
	b := make([]byte, 200)
	le := binary.LittleEndian
	le.PutUint32(b[0:], 0xffffffff)
	le.PutUint32(b[4:], 5<<1)
	le.PutUint64(b[8:], 0x0000000200000001)
	copy(b[16:], "a\"b\n\x00\x8012")
	b[24], b[25] = 'A', 1
	le.PutUint32(b[28:], 13)
	le.PutUint32(b[32:], 0xffffffff)
	le.PutUint64(b[48:], 0xffffffff81000000)
	le.PutUint64(b[56:], 0x2000)
	le.PutUint32(b[68:], 9)
	le.PutUint64(b[88:], 0x3000)
	return b
}

func printer() *Printer {
	return &Printer{
		Symbol: func(a mem.Virt) string {
			switch a {
			case 0xffffffff81000000:
				return "do_it"
			case 0x2000:
				return "rodata+12"
			}
			return ""
		},
		CString: func(a mem.Virt, limit int) (string, error) {
			if a == 0x2000 {
				return "it", nil
			}
			return "", mem.Fault(a, mem.ErrUnmapped)
		},
	}
}

const sampleValue = `{
  pid = -1,
  on = -3,
  {
    word = 8589934593,
    {
      x = 1,
      y = 2
    },
    p = {
      x = 1,
      y = 2
    },
    d = {
      in = {
        x = 1,
        y = 2
      }
    }
  },
  comm = "a\"b\n\000\20012",
  none = 0x1018 <error: read virt 0x1018: no page-table mapping>,
  state = 65 'A',
  yes = true,
  color = (RED | BLUE | unknown: 0x8),
  level = LOW,
  next = 0x0,
  func = 0xffffffff81000000 <do_it>,
  name = 0x2000 "it",
  pairs = {{
      x = 0,
      y = 9
    }, {
      x = 0,
      y = 0
    }},
  key = {<No data fields>},
  ptrs = {0x0, 0x3000},
  cv = {
    z = 0
  },
  tail = 0x1068
}`

func TestValue(t *testing.T) {
	if got := printer().Value(sample(), sampleBytes(), 0x1000); got != sampleValue {
		t.Errorf("got\n%s", got)
	}
	m, err := ctype.Path(sample(), "d.in.y")
	if err != nil {
		t.Fatal(err)
	}
	if got := printer().Member(m, sampleBytes(), 0x1000); got != "  d.in.y = 2" {
		t.Errorf("member %q", got)
	}
	m, _ = ctype.Path(sample(), "p")
	if got := printer().Member(m, sampleBytes(), 0x1000); got != "  p = {\n    x = 1,\n    y = 2\n  }" {
		t.Errorf("member %q", got)
	}
}

func TestScalarsAndArrays(t *testing.T) {
	le := func(n int, v uint64) []byte {
		b := make([]byte, 16)
		binary.LittleEndian.PutUint64(b, v)
		return b[:n]
	}
	long := []byte(strings.Repeat("x", 300))
	tests := []struct {
		t    ctype.Type
		b    []byte
		hex  bool
		want string
	}{
		{i32, le(4, 0xffffffff), true, "0xffffffff"},
		{u8, le(1, 65), true, "0x41"},
		{u8, le(1, 200), false, `200 '\310'`},
		{char, le(1, 200), false, `-56 '\310'`},
		{u8, le(1, '\''), false, `39 '\''`},
		{boole, le(1, 2), false, "2"},
		{boole, le(1, 1), true, "0x1"},
		{color, le(4, 4), true, "BLUE"},
		{color, le(4, 0), false, "0"},
		{level, le(4, 9), false, "9"},
		{&ctype.Enum{Bytes: 4}, le(4, 3), false, "3"},
		{&ctype.Int{Name: "unsigned __int128", Bytes: 16}, append(le(8, 0), le(8, 1)...), false, "18446744073709551616"},
		{&ctype.Int{Name: "__int128", Bytes: 16, Signed: true}, append(le(8, 1<<64-1), le(8, 1<<64-1)...), false, "-1"},
		{&ctype.Int{Name: "__int128", Bytes: 16}, le(16, 255), true, "0xff"},
		{&ctype.Float{Bytes: 8}, le(8, 0x3ff8000000000000), false, "1.5"},
		{&ctype.Float{Bytes: 4}, le(4, 0x3fc00000), false, "1.5"},
		{&ctype.Float{Bytes: 16}, le(16, 0), false, "<float of 16 bytes>"},
		{&ctype.Array{Elem: char, Len: 300}, long, false, `"` + string(long[:256]) + `"...`},
		{&ctype.Array{Elem: char, Len: 1}, []byte{0}, false, `""`},
		{&ctype.Array{Elem: i32, Len: 3}, make([]byte, 12), false, "{0, 0, 0}"},
		{&ctype.Array{Elem: i32, Len: 300}, make([]byte, 1200), false, "{" + strings.Repeat("0, ", 255) + "0...}"},
		{&ctype.Array{Elem: &ctype.Array{Elem: i32, Len: 2}, Len: 2}, make([]byte, 16), true, "{{0x0, 0x0}, {0x0, 0x0}}"},
		{&ctype.Forward{Name: "x"}, nil, false, "<incomplete type>"},
		{&ctype.Void{}, nil, false, "void"},
		{i32, le(2, 0), false, "<not readable>"},
		{&ctype.Array{Elem: i32, Len: 3}, make([]byte, 6), false, "{0, <not readable>, <not readable>}"},
		{structOf("s", 8, member("a", 0, i32), member("b", 4, i32)), make([]byte, 4), false, "{\n  a = 0,\n  b = <not readable>\n}"},
	}
	for _, tt := range tests {
		p := Printer{Hex: tt.hex}
		if got := p.Value(tt.t, tt.b, 0x1000); got != tt.want {
			t.Errorf("%s: %s, want %s", ctype.Describe(tt.t), got, tt.want)
		}
	}
}

func TestStringsAtPointers(t *testing.T) {
	long := strings.Repeat("y", 300)
	tests := []struct {
		s    string
		err  error
		want string
	}{
		{"", nil, `0x10 ""`},
		{long[:256], nil, `0x10 "` + long[:256] + `"`},
		{long[:257], nil, `0x10 "` + long[:256] + `"...`},
		{"cut", errors.New("gone"), `0x10 "cut"`},
		{"", errors.New("gone"), `0x10 <error: gone>`},
	}
	for _, tt := range tests {
		p := Printer{CString: func(mem.Virt, int) (string, error) { return tt.s, tt.err }}
		if got := p.Value(ctype.PointerTo(char), []byte{0x10, 0, 0, 0, 0, 0, 0, 0}, 0); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestData(t *testing.T) {
	n := printer().Data(sample(), sampleBytes()[:60], 0x1000)
	got := map[string]string{}
	for _, m := range n.Members {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got[m.Name] = string(b)
	}
	for name, want := range map[string]string{
		"pid":   `{"name":"pid","type":"int","addr":"0x1000","value":-1}`,
		"comm":  `{"name":"comm","type":"char [8]","addr":"0x1010","value":"a\"b\n","length":8}`,
		"yes":   `{"name":"yes","type":"_Bool","addr":"0x1019","value":true}`,
		"state": `{"name":"state","type":"unsigned char","addr":"0x1018","value":65}`,
		"level": `{"name":"level","type":"enum {...}","addr":"0x1020","value":"LOW"}`,
		"func":  `{"name":"func","type":"int (*)(unsigned long)","addr":"0x1030","value":"0xffffffff81000000","symbol":"do_it"}`,
		"next":  `{"name":"next","type":"struct empty *","addr":"0x1028","value":"0x0"}`,
		"name":  `{"name":"name","type":"const char *","addr":"0x1038","absent":"not readable"}`,
		"key":   `{"name":"key","type":"struct empty","addr":"0x1050"}`,
	} {
		if got[name] != want {
			t.Errorf("%s\nwant %s", got[name], want)
		}
	}
	if n.Members[12].Elems[1].Members[0].Absent == "" {
		t.Errorf("element beyond the bytes: %+v", n.Members[12])
	}
}

// Unions nested so that each level doubles the text must not.
func TestHostileNestingIsBounded(t *testing.T) {
	var st ctype.Type = i32
	for range 60 {
		st = &ctype.Struct{Union: true, Bytes: 4, Members: []ctype.Member{{Type: st}, {Type: st}}}
	}
	if n := strings.Count(Define(st).Text(Style{Offsets: true}), "\n"); n > 8*maxNodes {
		t.Errorf("definition of %d lines", n)
	}
	p := Printer{}
	if n := strings.Count(p.Value(st, make([]byte, 4), 0), "\n"); n > 8*maxNodes {
		t.Errorf("value of %d lines", n)
	}
	if n := count(p.Data(st, make([]byte, 4), 0)); n > maxNodes+64 {
		t.Errorf("%d nodes", n)
	}
}

func count(n Node) int {
	sum := 1
	for _, m := range n.Members {
		sum += count(m)
	}
	return sum
}

func BenchmarkValue(b *testing.B) {
	s, bytes, p := sample(), sampleBytes(), printer()
	b.ReportAllocs()
	for b.Loop() {
		if got := p.Value(s, bytes, 0x1000); got == "" {
			b.Fatal(fmt.Errorf("empty"))
		}
	}
}
