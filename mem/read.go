package mem

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// U64 reads a little-endian 64-bit word.
func U64[A Address](r Reader[A], addr A) (uint64, error) {
	var b [8]byte
	if _, err := r.ReadMem(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// U32 reads a little-endian 32-bit word.
func U32[A Address](r Reader[A], addr A) (uint32, error) {
	var b [4]byte
	if _, err := r.ReadMem(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// U16 reads a little-endian 16-bit word.
func U16[A Address](r Reader[A], addr A) (uint16, error) {
	var b [2]byte
	if _, err := r.ReadMem(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint16(b[:]), nil
}

// U8 reads one byte.
func U8[A Address](r Reader[A], addr A) (uint8, error) {
	var b [1]byte
	_, err := r.ReadMem(b[:], addr)
	return b[0], err
}

// Uint reads a little-endian unsigned integer of size bytes (1 to 8).
func Uint[A Address](r Reader[A], addr A, size int) (uint64, error) {
	var b [8]byte
	if size < 1 || size > len(b) {
		return 0, fmt.Errorf("integer of %d bytes at %#x: size must be 1 to 8", size, uint64(addr))
	}
	if _, err := r.ReadMem(b[:size], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// CString reads a NUL-terminated string of at most limit bytes. A string that
// does not end within limit is cut there; bytes before a fault are returned
// with the error.
func CString[A Address](r Reader[A], addr A, limit int) (string, error) {
	const step = 64
	var out []byte
	for len(out) < limit {
		buf := make([]byte, min(step, limit-len(out)))
		n, err := r.ReadMem(buf, addr+A(len(out)))
		if i := bytes.IndexByte(buf[:n], 0); i >= 0 {
			return string(append(out, buf[:i]...)), nil
		}
		out = append(out, buf[:n]...)
		if err != nil {
			return string(out), err
		}
	}
	return string(out), nil
}

// Fixed cuts a fixed-size C string at its first NUL byte.
func Fixed(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
