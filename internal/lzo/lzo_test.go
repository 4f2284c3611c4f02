package lzo

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// asm writes an LZO1X stream instruction by instruction, for tests.
type asm struct{ b []byte }

func ext(b []byte, n, bits int) []byte {
	for n -= bits; n > 255; n -= 255 {
		b = append(b, 0)
	}
	return append(b, byte(n))
}

func (a *asm) first(lit string) *asm {
	a.b = append(append(a.b, byte(17+len(lit))), lit...)
	return a
}

func (a *asm) literals(lit string) *asm {
	if n := len(lit) - 3; n < 16 {
		a.b = append(a.b, byte(n))
	} else {
		a.b = ext(append(a.b, 0), n, 15)
	}
	a.b = append(a.b, lit...)
	return a
}

// match adds the shortest instruction for a match, followed by up to 3 literals.
func (a *asm) match(dist, n int, lit string) *asm {
	s := len(lit)
	switch {
	case n <= 8 && dist <= 2048 && n >= 3:
		a.b = append(a.b, byte((n-1)<<5|(dist-1)&7<<2|s), byte((dist-1)>>3))
	case dist <= 1<<14:
		a.b = a.long(32, 31, n, (dist-1)<<2|s)
	default:
		d := dist - 1<<14
		a.b = a.long(16|d>>14<<3, 7, n, d&0x3fff<<2|s)
	}
	a.b = append(a.b, lit...)
	return a
}

func (a *asm) long(op, bits, n, dist int) []byte {
	if n -= 2; n <= bits {
		a.b = append(a.b, byte(op|n))
	} else {
		a.b = ext(append(a.b, byte(op)), n, bits)
	}
	return append(a.b, byte(dist), byte(dist>>8))
}

func (a *asm) raw(b ...byte) *asm { a.b = append(a.b, b...); return a }

func (a *asm) end() []byte { return append(a.b, 0x11, 0, 0) }

func TestInstructions(t *testing.T) {
	far := string(bytes.Repeat([]byte("0123456789abcdef"), 3000)) // 48000 bytes
	tests := []struct {
		name string
		src  []byte
		want string
	}{
		{"first run of 4", new(asm).first("abcd").end(), "abcd"},
		{"first 2, then a 2-byte match", new(asm).first("ab").raw(1<<2, 0).end(), "abab"},
		{"plain literal run", new(asm).literals("abcdef").end(), "abcdef"},
		{"long literal run", new(asm).literals(far[:1000]).end(), far[:1000]},
		{"3-byte match behind a run", new(asm).literals(far[:2100]).raw(byte(3<<2), 0).end(), far[:2100] + far[2100-2052:2100-2052+3]},
		{"overlapping match", new(asm).literals("abcd").match(3, 200, "xy").end(), "abcd" + string(bytes.Repeat([]byte("bcd"), 67)[:200]) + "xy"},
		{"run of one byte", new(asm).first("z").match(1, 4000, "").end(), string(bytes.Repeat([]byte("z"), 4001))},
		{"short match", new(asm).literals("abcdefgh").match(8, 8, "123").end(), "abcdefghabcdefgh123"},
		{"far match", new(asm).literals(far).match(40000, 300, "").end(), far + far[8000:8300]},
		{"far match beyond 32 KiB", new(asm).literals(far).match(33000, 20, "q").end(), far + far[15000:15020] + "q"},
	}
	for _, tt := range tests {
		dst := make([]byte, len(tt.want))
		n, err := Decompress(dst, tt.src)
		if err != nil || string(dst[:n]) != tt.want {
			t.Errorf("%s: %d bytes, %v", tt.name, n, err)
			continue
		}
		if _, err := Decompress(dst[:len(dst)-1], tt.src); err == nil {
			t.Errorf("%s: fits a buffer that is too small", tt.name)
		}
		for cut := range min(len(tt.src), 300) {
			if _, err := Decompress(dst, tt.src[:cut]); err == nil {
				t.Errorf("%s: cut to %d of %d bytes is accepted", tt.name, cut, len(tt.src))
			}
		}
	}
}

func TestMatchBeforeTheStart(t *testing.T) {
	if _, err := Decompress(make([]byte, 100), new(asm).first("abcd").match(5, 4, "").end()); err != ErrCorrupt {
		t.Errorf("error %v", err)
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add(new(asm).first("abcd").match(4, 300, "x").literals("0123456789").match(2, 3, "").end())
	f.Add(new(asm).literals(string(make([]byte, 3000))).match(2500, 90, "abc").end())
	f.Fuzz(func(t *testing.T, b []byte) {
		buf := bytes.Repeat([]byte{0xa5}, 4096+16)
		n, err := Decompress(buf[:4096:4096], b)
		if n > 4096 || err != nil && err != ErrCorrupt {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if !bytes.Equal(buf[4096:], bytes.Repeat([]byte{0xa5}, 16)) {
			t.Fatal("wrote behind the buffer")
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := new(asm).first("0123456789abcdef")
	size := 16
	for size < 4000 {
		n, lit := 3+rng.IntN(12), "abc"[:rng.IntN(4)]
		a.match(1+rng.IntN(min(size, 2000)), n, lit)
		size += n + len(lit)
	}
	src, dst := a.end(), make([]byte, 4096)
	b.SetBytes(int64(size))
	for b.Loop() {
		if _, err := Decompress(dst, src); err != nil {
			b.Fatal(err)
		}
	}
}
