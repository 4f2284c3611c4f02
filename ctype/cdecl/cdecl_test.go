package cdecl

import (
	"errors"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
)

// source knows a few types by kind and name.
type source struct{}

func (source) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	switch {
	case kind == ctype.StructKind && name == "list_head":
		return &ctype.Struct{Name: name, Bytes: 16}, nil
	case kind == ctype.StructKind && name == "opaque":
		return &ctype.Forward{Name: name}, nil
	case kind == ctype.UnionKind && name == "u":
		return &ctype.Struct{Name: name, Union: true, Bytes: 8}, nil
	case kind == ctype.EnumKind && name == "e":
		return &ctype.Enum{Name: name, Bytes: 4}, nil
	case kind == ctype.TypedefKind && name == "u32":
		return &ctype.Typedef{Name: name, Target: &ctype.Int{Name: "unsigned int", Bytes: 4}}, nil
	case kind == ctype.IntKind && (name == "int" || name == "unsigned long" || name == "char"):
		return &ctype.Int{Name: name, Bytes: 8}, nil
	}
	return nil, &ctype.LookupError{In: "test", Tried: []string{name}}
}

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want string // "" for text that reads as it is written
		size uint64
	}{
		{"struct list_head", "", 16},
		{"struct list_head *", "", 8},
		{"struct list_head **", "", 8},
		{"struct  list_head[4]", "struct list_head [4]", 64},
		{"struct list_head [0x10][2]", "struct list_head [16][2]", 512},
		{"union u", "", 8},
		{"enum e", "", 4},
		{"u32", "", 4},
		{"void *", "", 8},
		{"unsigned long", "", 8},
		{"const char *", "", 8},
		{"char const *", "const char *", 8},
		{"char * const", "char * const", 8},
		{"volatile unsigned long", "", 8},
		{"struct list_head *[]", "struct list_head *[]", 0},
		{"struct opaque *", "", 8},
		{"int (*)(struct list_head *, int)", "", 8},
		{"int (*)(void)", "", 8},
		{"int (*)()", "int (*)(void)", 8},
		{"int (*)(const char *, ...)", "", 8},
		{"int (*[3])(int)", "", 24},
		{"int (*)[3]", "", 8},
		{"void (*)(int (*)(int), u32)", "", 8},
		{"int (u32)", "int (u32)", 0},
	}
	for _, tt := range tests {
		if tt.want == "" {
			tt.want = tt.text
		}
		got, err := Parse(source{}, tt.text)
		if err != nil || ctype.Describe(got) != tt.want || got.Size() != tt.size {
			t.Errorf("%q: %v, %v", tt.text, got, err)
			if got != nil {
				t.Errorf("  is %q of %d", ctype.Describe(got), got.Size())
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `C type "": at "": no type`,
		"struct":                         `C type "struct": at "": no name behind struct`,
		"struct *":                       `C type "struct *": at "*": no name behind struct`,
		"int x":                          "test: no int x",
		"struct list_head x":             `C type "struct list_head x": at "x": a second type`,
		"int struct list_head":           `C type "int struct list_head": at "struct list_head": a second type`,
		"int [":                          `C type "int [": at "": no array size`,
		"int [x]":                        `C type "int [x]": at "x]": no array size`,
		"int [4":                         `C type "int [4": at "": want ]`,
		"int (*":                         `C type "int (*": at "": want )`,
		"int (*)(int":                    `C type "int (*)(int": at "": want , or )`,
		"int (*)(..., int)":              `C type "int (*)(..., int)": at ", int)": want , or )`,
		"int )":                          `C type "int )": at ")": unexpected`,
		"int @":                          `C type "int @": at "@": unexpected`,
		"struct none":                    "test: no none",
		"struct opaque":                  "types of this kernel: no definition of struct opaque",
		"struct opaque [3]":              "types of this kernel: no definition of struct opaque",
		strings.Repeat("int(", 99):       "nested too deeply",
		"int " + strings.Repeat("*", 99): "nested too deeply",
	} {
		_, err := Parse(source{}, text)
		_, syntax := errors.AsType[*SyntaxError](err)
		if err == nil || !strings.Contains(err.Error(), want) || syntax == errors.Is(err, ctype.ErrNotFound) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("int (*[3])(struct list_head *, ...)")
	f.Add("const char *const [7]")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(source{}, text)
		_, syntax := errors.AsType[*SyntaxError](err)
		if err != nil && !syntax && !errors.Is(err, ctype.ErrNotFound) {
			t.Fatalf("%T: %v", err, err)
		}
		if err == nil {
			ctype.Describe(got)
		}
	})
}
