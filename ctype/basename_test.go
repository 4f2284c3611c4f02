package ctype

import (
	"slices"
	"testing"
)

func TestBaseName(t *testing.T) {
	for name, want := range map[string]string{
		"long unsigned int":      "unsigned long",
		"unsigned long":          "unsigned long",
		"unsigned":               "unsigned int",
		"long long int":          "long long",
		"long long unsigned int": "unsigned long long",
		"short int":              "short",
		"short unsigned int":     "unsigned short",
		"signed":                 "int",
		"signed char":            "signed char",
		"char":                   "char",
		"unsigned char":          "unsigned char",
		"__int128 unsigned":      "unsigned __int128",
		"_Bool":                  "_Bool",
		"long double":            "long double",
		"":                       "",
	} {
		if got := BaseName(name); got != want {
			t.Errorf("BaseName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestSpellings(t *testing.T) {
	for name, want := range map[string][]string{
		"unsigned long":     {"unsigned long", "long unsigned int"},
		"long unsigned int": {"long unsigned int", "unsigned long"},
		"unsigned":          {"unsigned", "unsigned int"},
		"u32":               {"u32"},
	} {
		if got := Spellings(name); !slices.Equal(got, want) {
			t.Errorf("Spellings(%q) = %q, want %q", name, got, want)
		}
	}
}
