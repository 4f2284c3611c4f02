package ctype

import (
	"fmt"
	"strconv"
	"strings"
)

// Member finds the member of that name, looking through anonymous structs and
// unions. The offsets of the result count from the start of t.
func (t *Struct) Member(name string) (Member, bool) {
	if name == "" {
		return Member{}, false
	}
	for i := range t.Members {
		if t.Members[i].Name == name {
			return t.Members[i], true
		}
	}
	for i := range t.Members {
		outer := &t.Members[i]
		inner, ok := Strip(outer.Type).(*Struct)
		if outer.Name != "" || !ok {
			continue
		}
		if m, ok := inner.Member(name); ok {
			return m.shift(outer), true
		}
	}
	return Member{}, false
}

// shift counts m's offsets from the struct that outer is a member of.
func (m Member) shift(outer *Member) Member {
	m.Off += outer.Off
	m.BitOff += outer.Off * 8
	return m
}

// Tag names t as C does: "struct list_head", "union thread_union", "struct" when anonymous.
func (t *Struct) Tag() string {
	return tag(t.Union, t.Name)
}

func tag(union bool, name string) string {
	word := "struct"
	if union {
		word = "union"
	}
	if name == "" {
		return word
	}
	return word + " " + name
}

// Path follows a member path such as "thread.sp" or "pid_links[1].next" from t
// on, without leaving the object: members of members and elements of arrays. The
// Name of the result is the path, its offsets count from the start of t. The
// error is a *LookupError that names the type which lacks the member.
func Path(t Type, path string) (Member, error) {
	at := Member{Name: path, Type: t}
	for step := range strings.SplitSeq(path, ".") {
		name, indexes, _ := strings.Cut(step, "[")
		st, ok := Strip(at.Type).(*Struct)
		if !ok {
			return Member{}, &LookupError{In: Describe(at.Type), Tried: []string{name}}
		}
		m, ok := st.Member(name)
		if !ok {
			return Member{}, &LookupError{In: Describe(st), Tried: []string{name}}
		}
		m = m.shift(&at)
		if indexes != "" {
			if err := m.index(indexes); err != nil {
				return Member{}, fmt.Errorf("%s: %w", path, err)
			}
		}
		m.Name = path
		at = m
	}
	return at, nil
}

// index moves m to the element that the text behind the first "[" selects: "1]" or "0][3]".
func (m *Member) index(text string) error {
	for part := range strings.SplitSeq(text, "[") {
		digits, ok := strings.CutSuffix(part, "]")
		i, err := strconv.ParseUint(digits, 0, 32)
		if !ok || err != nil {
			return fmt.Errorf("bad array index %q", "["+part)
		}
		a, ok := Strip(m.Type).(*Array)
		if !ok {
			return fmt.Errorf("%s is not an array", Describe(m.Type))
		}
		if a.Len != 0 && i >= a.Len {
			return fmt.Errorf("index %d of an array of %d", i, a.Len)
		}
		off := i * a.Elem.Size()
		m.Type, m.Off, m.BitOff = a.Elem, m.Off+off, m.BitOff+off*8
	}
	return nil
}
