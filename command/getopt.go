package command

import "strings"

// Flag is one option as it stood on the command line.
type Flag struct {
	Name byte
	Arg  string // of an option that takes one
}

// Getopt splits args into options and operands as getopt(3) does: options may
// be combined (-kG), may carry their argument or be followed by it (-c1,
// -c 1), may stand behind operands, and end at "--". In spec each option
// letter is followed by ":" if it takes an argument. command names the verb in
// the *UsageError.
func Getopt(command, spec string, args []string) (flags []Flag, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return flags, append(rest, args[i+1:]...), nil
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		for j := 1; j < len(a); j++ {
			at := strings.IndexByte(spec, a[j])
			if at < 0 || a[j] == ':' {
				return nil, nil, Usagef(command, "unknown option -%c", a[j])
			}
			f := Flag{Name: a[j]}
			if at+1 < len(spec) && spec[at+1] == ':' {
				switch {
				case j+1 < len(a):
					f.Arg = a[j+1:]
				case i+1 < len(args):
					i++
					f.Arg = args[i]
				default:
					return nil, nil, Usagef(command, "option -%c needs an argument", a[j])
				}
				j = len(a)
			}
			flags = append(flags, f)
		}
	}
	return flags, rest, nil
}

// Split cuts a command line into words: at blanks, but not inside "…", '…' or
// (…). Double quotes vanish. Single quotes stay, for they mark a regular
// expression; so do parentheses, which mark an expression.
func Split(line string) ([]string, error) {
	var words []string
	for i := 0; i < len(line); {
		switch c := line[i]; c {
		case ' ', '\t':
			i++
		case '"', '\'':
			n := strings.IndexByte(line[i+1:], c)
			if n < 0 {
				return nil, Usagef("", "no closing %c in %q", c, line)
			}
			word := line[i : i+n+2]
			if c == '"' {
				word = word[1 : len(word)-1]
			}
			words = append(words, word)
			i += n + 2
		default:
			n, ok := wordEnd(line[i:])
			if !ok {
				return nil, Usagef("", "parentheses do not match in %q", line)
			}
			words = append(words, line[i:i+n])
			i += n
		}
	}
	return words, nil
}

// wordEnd finds the first blank outside parentheses.
func wordEnd(s string) (n int, ok bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ' ', '\t':
			if depth <= 0 {
				return i, true
			}
		}
	}
	return len(s), depth <= 0
}
