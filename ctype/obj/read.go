package obj

import (
	"fmt"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// Uint reads an integer, bool, enum, pointer or bit-field, or a struct of one of
// them as atomic_t. A signed one is sign-extended, so that int64 of it is its value.
func (v Value) Uint() (uint64, error) {
	if v.err != nil {
		return 0, v.err
	}
	ok, signed := ctype.Scalar(v.typ)
	if !ok {
		return 0, v.fail(fmt.Errorf("%s is no integer", ctype.Describe(v.typ))).err
	}
	width, n := v.bits, (v.bit+v.bits+7)/8
	if width == 0 {
		n = v.typ.Size()
		width = n * 8
	}
	buf := make([]byte, n)
	if _, err := v.r.ReadMem(buf, v.addr); err != nil {
		return 0, v.fail(err).err
	}
	return ctype.Bits(buf, v.bit, width, signed), nil
}

// Int is Uint as a signed number.
func (v Value) Int() (int64, error) {
	u, err := v.Uint()
	return int64(u), err
}

// Ptr reads a pointer, or an integer that holds an address.
func (v Value) Ptr() (mem.Virt, error) {
	u, err := v.Uint()
	return mem.Virt(u), err
}

// maxBytes bounds what Bytes allocates; the largest structs of a kernel (pglist_data,
// the kmalloc arrays) have some hundred KiB.
const maxBytes = 4 << 20

// Bytes reads the whole object.
func (v Value) Bytes() ([]byte, error) {
	if v.err != nil {
		return nil, v.err
	}
	n := v.typ.Size()
	if v.bits != 0 {
		n = (v.bit + v.bits + 7) / 8
	}
	if n == 0 || n > maxBytes {
		return nil, v.fail(fmt.Errorf("%s of %d bytes cannot be read whole", ctype.Describe(v.typ), n)).err
	}
	buf := make([]byte, n)
	if _, err := v.r.ReadMem(buf, v.addr); err != nil {
		return nil, v.fail(err).err
	}
	return buf, nil
}

// CString reads the string in an array of char, or at a pointer to char, up to
// its NUL byte or limit bytes. What precedes a fault comes with the error.
func (v Value) CString(limit int) (string, error) {
	if v.err != nil {
		return "", v.err
	}
	switch t := ctype.Strip(v.typ).(type) {
	case *ctype.Array:
		if !isByte(t.Elem) {
			break
		}
		if t.Len != 0 && t.Len < uint64(limit) {
			limit = int(t.Len)
		}
		return v.cstring(v.addr, limit)
	case *ctype.Pointer:
		if !isByte(t.Target()) {
			break
		}
		to := v.Deref()
		if to.err != nil {
			return "", to.err
		}
		return v.cstring(to.addr, limit)
	}
	return "", v.fail(fmt.Errorf("%s is no string", ctype.Describe(v.typ))).err
}

func (v Value) cstring(at mem.Virt, limit int) (string, error) {
	s, err := mem.CString(v.r, at, limit)
	if err != nil {
		err = v.fail(err).err
	}
	return s, err
}

func isByte(t ctype.Type) bool {
	i, ok := ctype.Strip(t).(*ctype.Int)
	return ok && i.Bytes == 1 && !i.Bool
}
