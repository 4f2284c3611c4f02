package inflate

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"testing"
)

func deflate(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zlib.NewWriterLevel(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// pages gives contents of different kinds: zero, text, pointers, noise.
func pages() [][]byte {
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 4096)
	ptrs := make([]byte, 4096)
	mixed := make([]byte, 4096)
	skew := make([]byte, 4096) // many symbols, very unequal: long codes
	for i := range noise {
		noise[i] = byte(rng.Uint32())
		if i%8 >= 5 {
			ptrs[i] = 0xff
		} else if i%8 < 2 {
			ptrs[i] = noise[i]
		}
		if rng.IntN(3) == 0 {
			mixed[i] = byte(rng.IntN(8))
		}
		skew[i] = byte(rng.ExpFloat64() * 20)
	}
	text := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog\n"), 100)[:4096]
	return [][]byte{make([]byte, 4096), text, ptrs, noise, mixed, skew, {}, {1}, []byte("abcabcabcabcabc")}
}

func TestRoundTrip(t *testing.T) {
	var d Decoder
	for i, p := range pages() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 6, 9} {
			z := deflate(t, p, level)
			dst := make([]byte, len(p))
			n, err := d.Zlib(dst, z)
			if err != nil || n != len(p) || !bytes.Equal(dst, p) {
				t.Errorf("page %d level %d: %d bytes, %v", i, level, n, err)
			}
			if len(p) > 0 {
				if _, err := d.Zlib(dst[:len(p)-1], z); err == nil {
					t.Errorf("page %d level %d fits a buffer that is too small", i, level)
				}
			}
			for cut := range len(z) {
				if _, err := d.Zlib(dst, z[:cut]); err == nil {
					t.Errorf("page %d level %d cut to %d of %d bytes is accepted", i, level, cut, len(z))
				}
			}
		}
	}
}

func TestDamageIsNoticed(t *testing.T) {
	var d Decoder
	rng := rand.New(rand.NewPCG(5, 6))
	for i, p := range pages()[1:6] {
		z := deflate(t, p, 1)
		for range 500 {
			bad := bytes.Clone(z)
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			dst := make([]byte, len(p))
			if n, err := d.Zlib(dst, bad); err == nil && !bytes.Equal(dst[:n], p) {
				t.Fatalf("page %d: damage not noticed", i)
			}
		}
	}
}

// FuzzRaw compares with compress/flate: same answer, same bytes.
func FuzzRaw(f *testing.F) {
	for _, p := range pages() {
		f.Add(deflate(f, p, 6)[2:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		const room = 1 << 16
		dst := make([]byte, room)
		n, used, err := d.Raw(dst, b)
		if used > len(b) && err == nil {
			t.Fatalf("used %d of %d bytes", used, len(b))
		}
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), room+1))
		if len(want) > room {
			wantErr = io.ErrShortBuffer
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, compress/flate %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(dst[:n], want) {
			t.Fatal("other bytes than compress/flate")
		}
	})
}

func BenchmarkZlibPage(b *testing.B) {
	var d Decoder
	dst := make([]byte, 4096)
	for i, name := range []string{"zero", "text", "pointers", "noise", "mixed"} {
		z := deflate(b, pages()[i], 1)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4096)
			for b.Loop() {
				if _, err := d.Zlib(dst, z); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
