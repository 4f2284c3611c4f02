package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// Schema and SchemaVersion name the form of Envelope. The version rises when a
// field changes its meaning or goes away; new fields do not raise it.
const (
	Schema        = "inquest"
	SchemaVersion = 1
)

// Envelope is one answer as data: the JSON form of a command's result.
type Envelope struct {
	Schema   string    `json:"schema"`
	Version  int       `json:"version"`
	Dump     *DumpID   `json:"dump,omitempty"` // nil for answers that need no dump
	Command  string    `json:"command"`        // the command line, as given
	Result   any       `json:"result"`         // null when the command failed
	Error    string    `json:"error,omitempty"`
	Problems []Problem `json:"problems,omitempty"` // what is missing from the result
}

// DumpID says which dump an answer is about.
type DumpID struct {
	Files   []string `json:"files"`
	Format  string   `json:"format"`
	Release string   `json:"release,omitempty"`  // uname -r of the dumped kernel
	BuildID string   `json:"build_id,omitempty"` // of its vmlinux, hex
}

// Problem is something that a result lacks, and why.
type Problem struct {
	What string `json:"what"` // "task list", "stack of PID 17"
	Why  string `json:"why"`
}

// String is "what: why".
func (p Problem) String() string { return p.What + ": " + p.Why }

// WriteJSON writes e as one line, so that several answers are JSON Lines.
func WriteJSON(w io.Writer, e Envelope) error {
	e.Schema, e.Version = Schema, SchemaVersion
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("write answer to %q as JSON: %w", e.Command, err)
	}
	return nil
}

// Hex is an address, mask or register. In JSON it is a string, "0xffff…":
// readers that hold numbers as 64-bit floats would lose its low bits.
type Hex uint64

// MarshalJSON implements json.Marshaler.
func (h Hex) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendUint([]byte(`"0x`), uint64(h), 16), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return fmt.Errorf("address %q: %w", s, err)
	}
	*h = Hex(v)
	return nil
}
