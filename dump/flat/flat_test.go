package flat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/dumptest"
)

func open(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := Open(context.Background(), bytes.NewReader(b), int64(len(b)), "stream")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readAll(t *testing.T, r *Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBlocksAnyOrder compares with writing the blocks into a buffer.
func TestBlocksAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var want []byte
		var blocks []dumptest.Block
		for range 1 + rng.IntN(40) {
			b := dumptest.Block{Off: rng.Int64N(20000), Data: make([]byte, 1+rng.IntN(9000))}
			for i := range b.Data {
				b.Data[i] = byte(rng.Uint32())
			}
			blocks = append(blocks, b)
			if need := int(b.Off) + len(b.Data); need > len(want) {
				want = append(want, make([]byte, need-len(want))...)
			}
			copy(want[b.Off:], b.Data)
		}
		r := open(t, dumptest.Stream(append(blocks, dumptest.Block{Off: -1})))
		if got := readAll(t, r); !bytes.Equal(got, want) || r.Truncated() || len(r.Problems()) > 0 {
			t.Fatalf("stream of %d blocks reads differently, problems %v", len(blocks), r.Problems())
		}
	}
}

func TestTruncatedStream(t *testing.T) {
	s := dumptest.Stream([]dumptest.Block{{Off: 0, Data: []byte("head")}, {Off: 100, Data: []byte("tail")}})
	r := open(t, s[:len(s)-2])
	b := make([]byte, 4)
	if _, err := r.ReadAt(b, 0); string(b) != "head" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if n, err := r.ReadAt(b, 100); string(b[:n]) != "ta" || err != io.EOF {
		t.Errorf("%q, %v", b[:n], err)
	}
	if n, err := r.ReadAt(b, 50); n != 0 || err != io.ErrUnexpectedEOF {
		t.Errorf("gap of a truncated stream: %d bytes, %v", n, err)
	}
	if !r.Truncated() || len(r.Problems()) != 1 {
		t.Errorf("truncated %v, problems %v", r.Truncated(), r.Problems())
	}
}

func TestRefused(t *testing.T) {
	good := dumptest.Stream([]dumptest.Block{{Off: 0, Data: []byte("x")}, {Off: -1}})
	version := bytes.Clone(good)
	version[31] = 2
	for name, b := range map[string][]byte{
		"short": good[:20], "no block": good[:4096], "version 2": version, "text": bytes.Repeat([]byte("text"), 2000),
		"end mark only": dumptest.Stream([]dumptest.Block{{Off: -1}}), "negative offset": dumptest.Stream([]dumptest.Block{{Off: -9, Data: []byte("x")}}),
	} {
		var fe *format.FormatError
		if r, err := Open(context.Background(), bytes.NewReader(b), int64(len(b)), ""); r != nil || !errors.As(err, &fe) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(dumptest.Flatten(bytes.Repeat([]byte("0123456789"), 900), 700))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open(context.Background(), bytes.NewReader(b), int64(len(b)), "")
		var fe *format.FormatError
		if (r == nil) == (err == nil) || err != nil && !errors.As(err, &fe) {
			t.Fatalf("%v and %v", r, err)
		}
		if r == nil {
			return
		}
		p := make([]byte, 100)
		for _, off := range []int64{0, 50, r.Size() - 50, r.Size(), 1 << 40} {
			if n, err := r.ReadAt(p, off); (n < len(p)) != (err != nil) {
				t.Fatalf("%d bytes at %d, %v", n, off, err)
			}
		}
	})
}

func BenchmarkIndexPages(b *testing.B) {
	blocks := make([]dumptest.Block, 20000)
	for i := range blocks {
		blocks[i] = dumptest.Block{Off: int64(i) * 1500, Data: make([]byte, 1500)}
	}
	s := dumptest.Stream(append(blocks, dumptest.Block{Off: -1}))
	for b.Loop() {
		if _, err := Open(context.Background(), bytes.NewReader(s), int64(len(s)), ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(blocks)), "ns/block")
}
