package btf

import (
	"fmt"
	"sync"

	"github.com/kinquest/inquest/ctype"
)

// Var is a variable that BTF describes: in kernels so far the per-CPU ones.
type Var struct {
	Name    string
	Type    ctype.Type
	Section string // ELF section, ".data..percpu"
	Off     uint64 // bytes from the start of the section
	Bytes   uint64
}

// place is where a DATASEC puts a VAR.
type place struct {
	section uint32 // offset of its name
	off     uint32
	size    uint32
}

// sectionIndex maps the ids of VARs to their places, once somebody asks.
type sectionIndex struct {
	once sync.Once
	at   map[uint32]place
}

func (s *Spec) places() map[uint32]place {
	s.datasec.once.Do(func() {
		s.datasec.at = map[uint32]place{}
		for i := range s.offs {
			rec := s.record(s.first + uint32(i))
			if rec.kind() != kindDatasec {
				continue
			}
			for e := 0; e < rec.vlen()*12; e += 12 {
				s.datasec.at[rec.u32(e)] = place{rec.name, rec.u32(e + 4), rec.u32(e + 8)}
			}
		}
	})
	return s.datasec.at
}

// Var finds a variable with its section, a module's before its base's. The error
// is a *ctype.LookupError when there is none, a *FormatError when its type is damaged.
func (s *Spec) Var(name string) (Var, error) {
	for at := s; at != nil; at = at.base {
		for id := range at.ids(name) {
			if rec := at.record(id); rec.kind() == kindVar {
				return at.variable(id, name)
			}
		}
	}
	return Var{}, &ctype.LookupError{In: s.what(), Tried: []string{"variable " + name}}
}

func (s *Spec) variable(id uint32, name string) (Var, error) {
	t, err := s.Type(id)
	if err != nil {
		return Var{}, fmt.Errorf("variable %s: %w", name, err)
	}
	v := Var{Name: name, Type: t, Bytes: t.Size()}
	if p, ok := s.places()[id]; ok {
		v.Off, v.Bytes = uint64(p.off), uint64(p.size)
		v.Section, _ = s.str(p.section)
	}
	return v, nil
}

// enumRef is one enumerator: the id of its enum, and its place in it.
type enumRef struct{ id, i uint32 }

// enumIndex maps enumerators to their enums, once somebody asks.
type enumIndex struct {
	once sync.Once
	at   map[string]enumRef
}

func (s *Spec) enumerators() map[string]enumRef {
	s.enums.once.Do(func() {
		s.enums.at = map[string]enumRef{}
		for i := range s.offs {
			rec := s.record(s.first + uint32(i))
			if k := rec.kind(); k != kindEnum && k != kindEnum64 {
				continue
			}
			for e := range rec.vlen() {
				name, _, ok := s.enumerator(&rec, e)
				if _, dup := s.enums.at[name]; ok && !dup {
					s.enums.at[name] = enumRef{s.first + uint32(i), uint32(e)}
				}
			}
		}
	})
	return s.enums.at
}

// Enumerator gives the value of an enumerator by its name, with its enum; that
// of the lowest id where several enums have one of the name. The error is a
// *ctype.LookupError when there is none.
func (s *Spec) Enumerator(name string) (ctype.EnumValue, *ctype.Enum, error) {
	for at := s; at != nil; at = at.base {
		ref, ok := at.enumerators()[name]
		if !ok {
			continue
		}
		t, err := at.Type(ref.id)
		if err != nil {
			return ctype.EnumValue{}, nil, fmt.Errorf("enumerator %s: %w", name, err)
		}
		e, ok := t.(*ctype.Enum)
		if !ok || int(ref.i) >= len(e.Values) {
			break
		}
		return e.Values[ref.i], e, nil
	}
	return ctype.EnumValue{}, nil, &ctype.LookupError{In: s.what(), Tried: []string{"enumerator " + name}}
}
