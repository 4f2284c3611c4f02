package ctype

import "strings"

// BaseName gives the usual name of an integer type, whatever the order and
// number of its words: "unsigned long" for GCC's "long unsigned int", "short" for
// "short int". Names of other types stay as they are.
func BaseName(name string) string {
	var long, short, signed, unsigned, plain int // plain: int
	core := "int"
	for word := range strings.FieldsSeq(name) {
		switch word {
		case "long":
			long++
		case "short":
			short++
		case "signed":
			signed++
		case "unsigned":
			unsigned++
		case "int":
			plain++
		case "char", "__int128":
			core = word
		default:
			return name
		}
	}
	if long+short+signed+unsigned+plain == 0 {
		return name
	}
	prefix := ""
	if unsigned > 0 {
		prefix = "unsigned "
	} else if signed > 0 && core == "char" {
		prefix = "signed "
	}
	switch {
	case long > 1:
		core = "long long"
	case long == 1:
		core = "long"
	case short > 0:
		core = "short"
	}
	return prefix + core
}

// Spellings gives the names that compilers use for the integer type of that
// name, which comes first: GCC's debug information writes "long unsigned int",
// clang's "unsigned long".
func Spellings(name string) []string {
	usual := BaseName(name)
	out := []string{name}
	gcc := map[string]string{
		"unsigned long": "long unsigned int", "long": "long int",
		"unsigned short": "short unsigned int", "short": "short int",
		"unsigned long long": "long long unsigned int", "long long": "long long int",
		"unsigned __int128": "__int128 unsigned",
	}[usual]
	for _, n := range []string{usual, gcc} {
		if n != "" && n != name {
			out = append(out, n)
		}
	}
	return out
}
