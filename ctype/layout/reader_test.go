package layout

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/ctype"
)

func TestReaderKeepsTheFirstError(t *testing.T) {
	word := &ctype.Int{Name: "unsigned int", Bytes: 4}
	var a, b, name Field
	a.set("s.a", ctype.Member{Name: "a", Type: word})
	b.set("s.b", ctype.Member{Name: "b", Type: word, Off: 4, BitOff: 32})
	name.set("s.name", ctype.Member{Name: "name", Off: 8, BitOff: 64,
		Type: &ctype.Array{Elem: &ctype.Int{Name: "char", Bytes: 1, Signed: true}, Len: 4}})

	r := Of([]byte{1, 0, 0, 0, 2, 0, 0, 0, 'o', 'k', 0, 'x'})
	if v, w, s := r.Uint(&a), r.Uint(&b), r.Text(&name); v != 1 || w != 2 || s != "ok" || r.Err() != nil {
		t.Errorf("%d %d %q %v", v, w, s, r.Err())
	}
	short := Of([]byte{1, 0, 0, 0, 2, 0})
	short.Uint(&b)
	first := short.Err()
	var unbound Field
	if first == nil || short.Uint(&a) != 0 || short.Uint(&unbound) != 0 || short.Err() != first {
		t.Errorf("first error %v, then %v", first, short.Err())
	}
	u := Of(nil)
	if u.Text(&unbound); !errors.Is(u.Err(), ErrUnbound) {
		t.Errorf("unbound: %v", u.Err())
	}
}
