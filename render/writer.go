// Package render turns results into what a person or a program reads: text
// columns that are safe to print, and the JSON envelope.
package render

import (
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Writer writes text for people. Whatever comes from a dump passes its filter:
// bytes that could command a terminal are shown as \xNN, so a task's name
// cannot move the cursor. The first write error is kept and ends all output.
type Writer struct {
	// Color allows escape sequences for emphasis; false for files and pipes.
	Color bool

	w   io.Writer
	buf []byte
	err error
}

// NewWriter gives a Writer without color. Writes go to w unbuffered.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Err is the first error of the underlying writer.
func (w *Writer) Err() error { return w.err }

// Printf formats and writes, filtered. Lines end with \n.
func (w *Writer) Printf(format string, args ...any) {
	if w.err != nil {
		return
	}
	w.buf = fmt.Appendf(w.buf[:0], format, args...)
	w.flush()
}

// Text writes s, filtered.
func (w *Writer) Text(s string) {
	if w.err != nil {
		return
	}
	w.buf = append(w.buf[:0], s...)
	w.flush()
}

// Bold writes s, filtered, in bold type where color is allowed.
func (w *Writer) Bold(s string) {
	if !w.Color || s == "" {
		w.Text(s)
		return
	}
	w.raw("\x1b[1m")
	w.Text(s)
	w.raw("\x1b[0m")
}

// Label writes one "LABEL: value" line with the label right-aligned in width
// columns, as the first screen of crash does.
func (w *Writer) Label(width int, label, format string, args ...any) {
	w.Printf("%*s: %s\n", width, label, fmt.Sprintf(format, args...))
}

func (w *Writer) flush() {
	b := w.buf
	if !plain(b) {
		b = []byte(escape(string(b), true))
	}
	_, w.err = w.w.Write(b)
}

func (w *Writer) raw(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, s)
	}
}

// plain says that b is printable ASCII, tabs and line ends.
func plain(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// Line makes s safe to print inside one line: control characters, line ends
// and invalid UTF-8 become \xNN, invisible and reordering characters \u….
func Line(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return escape(s, false)
		}
	}
	return s
}

func escape(s string, lines bool) string {
	out := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case lines && (r == '\n' || r == '\t'), r != utf8.RuneError && unicode.IsPrint(r):
			out = append(out, s[i:i+n]...)
		case n == 1: // ASCII control or an invalid byte
			out = fmt.Appendf(out, `\x%02x`, s[i])
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return string(out)
}

// Uptime writes a duration as crash does: "13:14:39", "10 days, 14:14:39".
func Uptime(d time.Duration) string {
	s := int64(d / time.Second)
	clock := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%d days, %s", days, clock)
	}
	return clock
}

// Size writes a number of bytes as people do: "512 MB", "3.9 GB" (powers of 1024).
func Size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " bytes"
	}
	f, u := float64(n), -1
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	prec := 0
	if f < 10 && f != float64(uint64(f)) {
		prec = 1
	}
	return strconv.FormatFloat(f, 'f', prec, 64) + " " + units[u:u+1] + "B"
}

// ASCII shows bytes as characters, a dot for each that is none.
func ASCII(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c < ' ' || c >= 0x7f {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}
