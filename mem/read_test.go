package mem

import (
	"errors"
	"testing"
)

// slice is a reader of the bytes at and above base; addresses outside are not stored.
type slice struct {
	base Phys
	b    []byte
}

func (s slice) ReadMem(p []byte, addr Phys) (int, error) {
	if addr < s.base || addr >= s.base+Phys(len(s.b)) {
		return 0, Fault(addr, ErrNotStored)
	}
	n := copy(p, s.b[addr-s.base:])
	if n < len(p) {
		return n, Fault(addr+Phys(n), ErrNotStored)
	}
	return n, nil
}

func TestIntegers(t *testing.T) {
	r := slice{0x1000, []byte{1, 2, 3, 4, 5, 6, 7, 8}}
	if v, err := U64(r, 0x1000); v != 0x0807060504030201 || err != nil {
		t.Errorf("U64 = %#x, %v", v, err)
	}
	if v, err := U32(r, 0x1002); v != 0x06050403 || err != nil {
		t.Errorf("U32 = %#x, %v", v, err)
	}
	if v, err := U16(r, 0x1006); v != 0x0807 || err != nil {
		t.Errorf("U16 = %#x, %v", v, err)
	}
	if v, err := U8(r, 0x1007); v != 8 || err != nil {
		t.Errorf("U8 = %#x, %v", v, err)
	}
	if v, err := Uint(r, 0x1001, 3); v != 0x040302 || err != nil {
		t.Errorf("Uint(3) = %#x, %v", v, err)
	}
	if _, err := Uint(r, 0x1000, 9); err == nil {
		t.Error("Uint of 9 bytes succeeded")
	}
}

func TestFaultNamesFirstUnreadableByte(t *testing.T) {
	r := slice{0x1000, make([]byte, 4)}
	_, err := U64(r, 0x1000)
	var f *FaultError
	if !errors.As(err, &f) || f.Addr != 0x1004 || f.Space != "phys" || !errors.Is(err, ErrNotStored) {
		t.Fatalf("U64 over the end: %v", err)
	}
}

func TestCString(t *testing.T) {
	long := make([]byte, 200)
	for i := range long {
		long[i] = 'x'
	}
	tests := []struct {
		name    string
		b       []byte
		limit   int
		want    string
		wantErr error
	}{
		{"ended", []byte("comm\x00rest"), 16, "comm", nil},
		{"cut at the limit", long, 100, string(long[:100]), nil},
		{"runs into a hole", long, 400, string(long), ErrNotStored},
		{"empty", []byte{0}, 16, "", nil},
	}
	for _, tt := range tests {
		got, err := CString(slice{0, tt.b}, Phys(0), tt.limit)
		if got != tt.want || !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}
