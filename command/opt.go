package command

import (
	"encoding/json"
	"fmt"
)

// Opt is a value, or why it is absent. The zero Opt was not asked for; with
// the JSON tag omitzero it does not appear at all.
type Opt[T any] struct {
	V   T
	Set bool
	Err error
}

// Got makes an Opt of the results of a function.
func Got[T any](v T, err error) Opt[T] {
	if err != nil {
		return Opt[T]{Err: err}
	}
	return Opt[T]{V: v, Set: true}
}

// Some makes an Opt of a value that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Set: true} }

// OK says whether the value is there.
func (o Opt[T]) OK() bool { return o.Set && o.Err == nil }

// IsZero says that the value was not asked for.
func (o Opt[T]) IsZero() bool { return !o.Set && o.Err == nil }

// MarshalJSON gives the value, or {"absent": "why"}: never a zero in its place.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.OK() {
		return json.Marshal(o.V)
	}
	return json.Marshal(map[string]string{"absent": o.reason()})
}

// Text formats the value, or "(why it is absent)".
func (o Opt[T]) Text(format string) string {
	if o.OK() {
		return fmt.Sprintf(format, o.V)
	}
	return "(" + o.reason() + ")"
}

// Or formats the value, or gives mark: for columns too narrow for a reason.
func (o Opt[T]) Or(format, mark string) string {
	if o.OK() {
		return fmt.Sprintf(format, o.V)
	}
	return mark
}

func (o Opt[T]) reason() string {
	if o.Err == nil {
		return "not requested"
	}
	return Reason(o.Err)
}
