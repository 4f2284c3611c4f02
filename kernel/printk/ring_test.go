package printk_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/mem"
)

const ringTypes = `
prb_data_blk_lpos 16
  0 u64 begin
  8 u64 next
prb_desc 24
  0 u64 state_var
  8 prb_data_blk_lpos text_blk_lpos
dev_printk_info 64
  0 char[16] subsystem
  16 char[48] device
printk_info 88
  0 u64 seq
  8 u64 ts_nsec
  16 u16 text_len
  18 u8 facility
  19 u8 level
  20 u32 caller_id
  24 dev_printk_info dev_info
prb_desc_ring 40
  0 u32 count_bits
  8 ptr descs
  16 ptr infos
  24 u64 head_id
  32 u64 tail_id
prb_data_ring 32
  0 u32 size_bits
  8 ptr data
printk_ringbuffer 80
  0 prb_desc_ring desc_ring
  40 prb_data_ring text_data_ring
`

const (
	rb       = kerneltest.Base + 0x100
	descs    = kerneltest.Base + 0x1000
	infos    = kerneltest.Base + 0x2000
	data     = kerneltest.Base + 0x4000
	final    = uint64(2) << 62
	commit   = uint64(1) << 62
	ringSize = 1 << 8 // bytes of text
)

// ring begins a kernel with a ring of 8 descriptors and 256 bytes of text.
func ring(t *testing.T, tail, head uint64) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Types(ringTypes)
	b.Sym("prb", kerneltest.Base)
	b.U64(kerneltest.Base, uint64(rb))
	b.Put(rb, "printk_ringbuffer.desc_ring.count_bits", 3)
	b.Put(rb, "printk_ringbuffer.desc_ring.descs", uint64(descs))
	b.Put(rb, "printk_ringbuffer.desc_ring.infos", uint64(infos))
	b.Put(rb, "printk_ringbuffer.desc_ring.head_id", head)
	b.Put(rb, "printk_ringbuffer.desc_ring.tail_id", tail)
	b.Put(rb, "printk_ringbuffer.text_data_ring.size_bits", 8)
	b.Put(rb, "printk_ringbuffer.text_data_ring.data", uint64(data))
	return b
}

// put stores the record with descriptor id whose text block spans begin to next.
func put(b *kerneltest.Builder, id, state, begin, next uint64, text string) {
	d, i := descs+mem.Virt(id%8*24), infos+mem.Virt(id%8*88)
	b.Put(d, "prb_desc.state_var", state|id)
	b.Put(d, "prb_desc.text_blk_lpos.begin", begin)
	b.Put(d, "prb_desc.text_blk_lpos.next", next)
	b.Put(i, "printk_info.seq", id)
	b.Put(i, "printk_info.ts_nsec", id*1000)
	b.Put(i, "printk_info.text_len", uint64(len(text)))
	b.Put(i, "printk_info.level", 6)
	off := begin % ringSize
	if begin/ringSize != next/ringSize && next%ringSize != 0 {
		off = 0
	}
	b.U64(data+mem.Virt(off), id)
	b.Bytes(data+mem.Virt(off)+8, []byte(text[:min(len(text), int(ringSize-off-8))]))
}

func load(t *testing.T, b *kerneltest.Builder) *printk.Log {
	t.Helper()
	l, err := printk.Load(context.Background(), b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func texts(l *printk.Log) string {
	var out []string
	for _, r := range l.Records {
		out = append(out, r.Text)
	}
	return strings.Join(out, "|")
}

func TestRing(t *testing.T) {
	b := ring(t, 6, 10) // the descriptors wrap, too
	put(b, 6, final, 0x40, 0x60, "first")
	put(b, 7, final, 0x60, 0x80, "two\nlines")
	put(b, 8, final, 0x81, 0x83, "")       // no text
	put(b, 9, 0, 0x80, 0xa0, "unfinished") // still reserved by its writer
	put(b, 10, commit, 0xe0, 0x130, "wrapped to the start")
	b.Put(infos+mem.Virt(7*88), "printk_info.caller_id", 0x80000001)
	b.Bytes(infos+mem.Virt(7*88+24), []byte("pci"))
	b.Bytes(infos+mem.Virt(7*88+40), []byte("+pci:0000:00:01.0"))
	l := load(t, b)
	if got := texts(l); got != "first|two\nlines||wrapped to the start" || len(l.Problems) != 0 {
		t.Fatalf("%q, %v", got, l.Problems)
	}
	r := l.Records[1]
	if r.Seq != 7 || r.Time != 7000 || r.Level != 6 || r.Caller.String() != "C1" || r.Subsystem != "pci" || r.Device != "+pci:0000:00:01.0" {
		t.Errorf("%+v", r)
	}
	if !l.Records[3].Open || l.Records[0].Open {
		t.Error("only the committed record is open")
	}
}

func TestRingTextLongerThanItsBlock(t *testing.T) {
	b := ring(t, 1, 1)
	put(b, 1, final, 0, 0x20, strings.Repeat("x", 100))
	l := load(t, b)
	if len(l.Records) != 1 || len(l.Records[0].Text) != 0x18 || !l.Records[0].Cut {
		t.Errorf("%+v", l.Records)
	}
}

func TestRingThatLies(t *testing.T) {
	b := ring(t, 1, 1<<40) // the head is out of reach
	put(b, 1, final, 0x20, 0x20, "no room")
	l := load(t, b)
	if len(l.Records) != 1 || l.Records[0].Text != "" || len(l.Problems) != 2 {
		t.Errorf("%q %v", texts(l), l.Problems)
	}
	b = ring(t, 1, 1)
	b.Put(rb, "printk_ringbuffer.desc_ring.count_bits", 40)
	if _, err := printk.Load(context.Background(), b.Kernel()); err == nil {
		t.Error("2^40 descriptors were accepted")
	}
}

func TestRingWithLostText(t *testing.T) {
	b := ring(t, 1, 2)
	put(b, 1, final, 0, 0x20, "gone")
	put(b, 2, final, 0x20, 0x40, "also gone")
	b.Lose(data, mem.ErrExcluded)
	l := load(t, b)
	if len(l.Records) != 2 || len(l.Problems) != 2 || !errors.Is(l.Problems[0], mem.ErrExcluded) {
		t.Errorf("%+v %v", l.Records, l.Problems)
	}
}

func FuzzRing(f *testing.F) {
	f.Add(uint64(0x40), uint64(0x60), uint16(5), uint64(3), uint64(9))
	f.Add(^uint64(0), uint64(0x20), uint16(0xffff), ^uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, begin, next uint64, length uint16, tail, head uint64) {
		b := ring(t, tail, head)
		for id := range uint64(8) {
			d := descs + mem.Virt(id*24)
			b.Put(d, "prb_desc.state_var", final|tail&(1<<62-1)+id)
			b.Put(d, "prb_desc.text_blk_lpos.begin", begin)
			b.Put(d, "prb_desc.text_blk_lpos.next", next)
			b.Put(infos+mem.Virt(id*88), "printk_info.text_len", uint64(length))
		}
		l := load(t, b)
		for _, r := range l.Records {
			if len(r.Text) > ringSize {
				t.Fatalf("text of %d bytes in a ring of %d", len(r.Text), ringSize)
			}
		}
	})
}
