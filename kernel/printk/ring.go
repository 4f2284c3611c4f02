package printk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// ringFields are the members of the lock-less ring buffer
// (kernel/printk/printk_ringbuffer.h).
type ringFields struct {
	DescRing  layout.Field `k:"printk_ringbuffer.desc_ring"`
	TextRing  layout.Field `k:"printk_ringbuffer.text_data_ring"`
	CountBits layout.Field `k:"prb_desc_ring.count_bits"`
	Descs     layout.Field `k:"prb_desc_ring.descs"`
	Infos     layout.Field `k:"prb_desc_ring.infos"`
	HeadID    layout.Field `k:"prb_desc_ring.head_id"`
	TailID    layout.Field `k:"prb_desc_ring.tail_id"`
	SizeBits  layout.Field `k:"prb_data_ring.size_bits"`
	Data      layout.Field `k:"prb_data_ring.data"`
	Desc      layout.Size  `k:"struct prb_desc"`
	StateVar  layout.Field `k:"prb_desc.state_var"`
	Begin     layout.Field `k:"prb_desc.text_blk_lpos.begin"`
	Next      layout.Field `k:"prb_desc.text_blk_lpos.next"`
	Info      layout.Size  `k:"struct printk_info"`
	Seq       layout.Field `k:"printk_info.seq"`
	TsNsec    layout.Field `k:"printk_info.ts_nsec"`
	TextLen   layout.Field `k:"printk_info.text_len"`
	Facility  layout.Field `k:"printk_info.facility"`
	Level     layout.Field `k:"printk_info.level"`
	CallerID  layout.Field `k:"printk_info.caller_id"`
	Subsystem layout.Field `k:"printk_info.dev_info.subsystem,optional"`
	Device    layout.Field `k:"printk_info.dev_info.device,optional"`
}

// States of a descriptor, the two top bits of its state_var.
const (
	descCommitted = 1
	descFinalized = 2
	descFlagShift = 62
	descIDMask    = 1<<descFlagShift - 1
)

// lposEmpty marks a record without text: bit 0 of both positions is set
// (C FAILED_LPOS 1, EMPTY_LINE_LPOS 3).
const lposEmpty = 1

// ring is an opened ring buffer.
type ring struct {
	k        *kernel.Kernel
	f        ringFields
	count    uint64 // descriptors, a power of two
	descs    []byte
	infos    []byte
	data     mem.Virt
	dataSize uint64
	head     uint64
	tail     uint64
}

func loadRing(ctx context.Context, k *kernel.Kernel) (*Log, error) {
	r, err := openRing(k)
	if err != nil {
		return nil, fmt.Errorf("kernel log: %w", err)
	}
	l := &Log{Format: "printk_ringbuffer"}
	for id, n := r.tail, uint64(0); n < r.count; id, n = (id+1)&descIDMask, n+1 {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		r.record(l, id)
		if id == r.head {
			return l, nil
		}
	}
	l.problem("kernel log: head %#x is not within %d records of tail %#x", r.head, r.count, r.tail)
	return l, nil
}

// openRing reads the ring's geometry and its descriptors.
func openRing(k *kernel.Kernel) (*ring, error) {
	r := &ring{k: k}
	if err := k.Bind(&r.f); err != nil {
		return nil, err
	}
	at, err := k.Sym("prb") // struct printk_ringbuffer *prb
	if err != nil {
		return nil, err
	}
	rb, err := mem.U64(k.Mem, at)
	if err != nil {
		return nil, fmt.Errorf("prb: %w", err)
	}
	g := layout.NewReader(k.Mem, mem.Virt(rb)+mem.Virt(r.f.DescRing.Off))
	countBits := g.Uint(&r.f.CountBits)
	descs, infos := g.Uint(&r.f.Descs), g.Uint(&r.f.Infos)
	r.head, r.tail = g.Uint(&r.f.HeadID)&descIDMask, g.Uint(&r.f.TailID)&descIDMask
	d := layout.NewReader(k.Mem, mem.Virt(rb)+mem.Virt(r.f.TextRing.Off))
	sizeBits := d.Uint(&r.f.SizeBits)
	r.data = mem.Virt(d.Uint(&r.f.Data))
	if err := g.Err(); err != nil {
		return nil, fmt.Errorf("prb.desc_ring: %w", err)
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("prb.text_data_ring: %w", err)
	}
	if countBits > maxRing || sizeBits > 31 { // LOG_BUF_LEN_MAX is 2^31 (kernel/printk/printk.c)
		return nil, fmt.Errorf("prb: 2^%d descriptors and 2^%d bytes of text are more than inquest reads", countBits, sizeBits)
	}
	r.count, r.dataSize = 1<<countBits, 1<<sizeBits
	if r.descs, err = r.table(descs, r.f.Desc.Bytes); err != nil {
		return nil, fmt.Errorf("prb.desc_ring.descs: %w", err)
	}
	if r.infos, err = r.table(infos, r.f.Info.Bytes); err != nil {
		return nil, fmt.Errorf("prb.desc_ring.infos: %w", err)
	}
	return r, nil
}

// table reads an array with one element for each descriptor; maxRing bounds it.
func (r *ring) table(at, size uint64) ([]byte, error) {
	const maxElem = 256
	if size == 0 || size > maxElem {
		return nil, fmt.Errorf("element of %d bytes", size)
	}
	buf := make([]byte, r.count*size)
	_, err := r.k.Mem.ReadMem(buf, mem.Virt(at))
	return buf, err
}

// record appends the record with descriptor id to l, if it was written.
func (r *ring) record(l *Log, id uint64) {
	slot := id & (r.count - 1)
	desc := r.descs[slot*r.f.Desc.Bytes:][:r.f.Desc.Bytes]
	info := r.infos[slot*r.f.Info.Bytes:][:r.f.Info.Bytes]
	d, i := layout.Of(desc), layout.Of(info)
	sv := d.Uint(&r.f.StateVar)
	state := sv >> descFlagShift
	if sv&descIDMask != id || state != descCommitted && state != descFinalized {
		return // never used, being written, or reused since
	}
	rec := Record{
		Seq:      i.Uint(&r.f.Seq),
		Time:     time.Duration(i.Uint(&r.f.TsNsec)),
		Level:    uint8(i.Uint(&r.f.Level)),
		Facility: uint8(i.Uint(&r.f.Facility)),
		Caller:   caller(uint32(i.Uint(&r.f.CallerID))),
		Open:     state == descCommitted,
	}
	if r.f.Subsystem.OK() {
		rec.Subsystem, rec.Device = i.Text(&r.f.Subsystem), i.Text(&r.f.Device)
	}
	begin, next, textLen := d.Uint(&r.f.Begin), d.Uint(&r.f.Next), i.Uint(&r.f.TextLen)
	if err := errors.Join(d.Err(), i.Err()); err != nil {
		l.problem("log record in slot %d: %w", slot, err)
		return
	}
	text, cut, err := r.text(begin, next, textLen)
	if err != nil {
		l.problem("text of log record %d: %w", rec.Seq, err)
	}
	rec.Text, rec.Cut = text, cut
	l.Records = append(l.Records, rec)
}

// caller decodes printk_info.caller_id; 0 stands for "not noted".
func caller(id uint32) Caller {
	return Caller{Known: id != 0, CPU: id&callerCPU != 0, ID: id &^ callerCPU}
}

// text reads the data block between two logical positions: a word with the
// descriptor's ID, then the text. A block that would wrap starts over at the
// beginning of the buffer. cut says that the block is shorter than the text was.
func (r *ring) text(begin, next, textLen uint64) (s string, cut bool, err error) {
	const idSize = 8
	if begin&lposEmpty != 0 && next&lposEmpty != 0 {
		return "", false, nil
	}
	off, end := begin&(r.dataSize-1), next&(r.dataSize-1)
	if begin/r.dataSize != next/r.dataSize && end != 0 { // wrapped: the block lies at the start
		off = 0
	}
	if end == 0 {
		end = r.dataSize
	}
	if end < off+idSize {
		return "", false, fmt.Errorf("block from %#x to %#x is no block", begin, next)
	}
	n := min(textLen, end-off-idSize, maxText)
	buf := make([]byte, n)
	got, err := r.k.Mem.ReadMem(buf, r.data+mem.Virt(off+idSize))
	return string(buf[:got]), n < textLen, err
}
