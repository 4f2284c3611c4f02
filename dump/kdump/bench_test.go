package kdump

import (
	"context"
	"testing"

	"github.com/kinquest/inquest/internal/dumptest"
	"github.com/kinquest/inquest/mem"
)

// BenchmarkReadPage reads single pages, uncached, in scattered order.
func BenchmarkReadPage(b *testing.B) {
	for _, c := range []struct {
		name  string
		codec uint32
	}{{"plain", dumptest.Plain}, {"zlib", dumptest.Zlib}, {"lzo", dumptest.LZO}, {"snappy", dumptest.Snappy}, {"zstd", dumptest.Zstd}} {
		k := dumptest.Kdump{}
		const pages = 509
		for pfn := range uint64(pages) {
			k.Pages = append(k.Pages, stored(pfn, c.codec))
		}
		f, err := Open(context.Background(), part(k.Bytes(), ""))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(4096)
			p := make([]byte, 4096)
			for i := 0; b.Loop(); i++ {
				if _, err := f.ReadMem(p, mem.Phys(i*101%pages*4096)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
