package ctype

// EnumSource is a Source that also finds enumerators by their own names.
type EnumSource interface {
	Source
	// Enumerator gives the value and the enum; the error is a *LookupError when
	// there is none.
	Enumerator(name string) (EnumValue, *Enum, error)
}

// Scalar says whether t holds one integer of at most 64 bits (an integer, bool,
// pointer or enum, or a struct of nothing else, as atomic_t and kuid_t are), and
// whether that is signed.
func Scalar(t Type) (ok, signed bool) {
	for range maxChain {
		switch u := Strip(t).(type) {
		case *Int:
			return u.Bytes <= 8, u.Signed
		case *Enum:
			return u.Bytes <= 8, u.Signed
		case *Pointer:
			return true, false
		case *Struct:
			if len(u.Members) != 1 || u.Members[0].Bits != 0 || u.Members[0].Type.Size() != u.Bytes {
				return false, false
			}
			t = u.Members[0].Type
		default:
			return false, false
		}
	}
	return false, false
}

// Bits takes width bits (1 to 64) from bit first (0 to 7) of little-endian b on,
// sign-extended if signed. Bits beyond the end of b count as 0: callers check
// lengths before.
func Bits(b []byte, first, width uint64, signed bool) uint64 {
	var v uint64
	for i := range b {
		if shift := uint64(i)*8 - first; i == 0 {
			v = uint64(b[0]) >> first
		} else if shift < 64 {
			v |= uint64(b[i]) << shift
		}
	}
	if width == 0 || width >= 64 {
		return v
	}
	v &= 1<<width - 1
	if signed && v>>(width-1) != 0 {
		v |= ^uint64(0) << width
	}
	return v
}
