package printk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// recordFields are the members of a record's header: struct printk_log since
// v3.11, 62e32ac3505a ("printk: rename struct log to struct printk_log").
type recordFields struct {
	TsNsec   layout.Field `k:"printk_log.ts_nsec|log.ts_nsec"`
	Len      layout.Field `k:"printk_log.len|log.len"`
	TextLen  layout.Field `k:"printk_log.text_len|log.text_len"`
	DictLen  layout.Field `k:"printk_log.dict_len|log.dict_len"`
	Facility layout.Field `k:"printk_log.facility|log.facility"`
	Level    layout.Field `k:"printk_log.level|log.level"`
	// Only with CONFIG_PRINTK_CALLER, v5.1 and later.
	CallerID layout.Field `k:"printk_log.caller_id|log.caller_id,optional"`
	Header   layout.Size  `k:"struct printk_log|struct log"`
}

// recordBuffer is an opened log_buf of records.
type recordBuffer struct {
	f     recordFields
	buf   []byte
	first uint64 // offset of the oldest record
	next  uint64 // offset behind the newest record
	seq   uint64 // of the oldest record
}

func loadRecords(ctx context.Context, k *kernel.Kernel) (*Log, error) {
	b, err := openRecords(k)
	if err != nil {
		return nil, fmt.Errorf("kernel log: %w", err)
	}
	l := &Log{Format: "log_buf records"}
	for off := b.first; off != b.next; {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		if len(l.Records) >= maxRecords {
			l.problem("kernel log: more than %d records", maxRecords)
			break
		}
		length, err := b.record(l, off)
		if err != nil {
			l.problem("kernel log: record at offset %#x: %w", off, err)
			break
		}
		if length == 0 { // the rest of the buffer was too small: go on at its start
			if off == 0 || off < b.next {
				l.problem("kernel log: end mark at offset %#x", off)
				break
			}
			off = 0
			continue
		}
		off += length
	}
	return l, nil
}

// openRecords reads the whole buffer and where its records begin and end.
func openRecords(k *kernel.Kernel) (*recordBuffer, error) {
	b := &recordBuffer{}
	if err := k.Bind(&b.f); err != nil {
		return nil, err
	}
	at, err := k.SymU64("log_buf")
	if err != nil {
		return nil, err
	}
	size, err := k.SymU32("log_buf_len")
	if err != nil {
		return nil, err
	}
	if size == 0 || size > maxLogBuf {
		return nil, fmt.Errorf("log_buf_len is %d", size)
	}
	first, err := k.SymU32("log_first_idx")
	if err != nil {
		return nil, err
	}
	next, err := k.SymU32("log_next_idx")
	if err != nil {
		return nil, err
	}
	if b.seq, err = k.SymU64("log_first_seq"); err != nil {
		return nil, err
	}
	b.first, b.next = uint64(first), uint64(next)
	// Read as much as there is: the buffer may reach into a hole.
	b.buf = make([]byte, size)
	n, err := k.Mem.ReadMem(b.buf, mem.Virt(at))
	if n == 0 && err != nil {
		return nil, fmt.Errorf("log_buf: %w", err)
	}
	b.buf = b.buf[:n]
	return b, nil
}

// record appends the record at off and gives its length; 0 marks the end of
// the buffer's used part.
func (b *recordBuffer) record(l *Log, off uint64) (length uint64, err error) {
	if off+b.f.Header.Bytes > uint64(len(b.buf)) {
		return 0, fmt.Errorf("header ends behind the %d bytes that could be read", len(b.buf))
	}
	h := layout.Of(b.buf[off:][:b.f.Header.Bytes])
	length = h.Uint(&b.f.Len)
	text, dict := h.Uint(&b.f.TextLen), h.Uint(&b.f.DictLen)
	if length == 0 || h.Err() != nil {
		return 0, h.Err()
	}
	if b.f.Header.Bytes+text+dict > length || off+length > uint64(len(b.buf)) {
		return 0, fmt.Errorf("length %d does not hold %d bytes of text and %d of dictionary", length, text, dict)
	}
	body := b.buf[off+b.f.Header.Bytes:]
	rec := Record{
		Seq:      b.seq + uint64(len(l.Records)),
		Time:     time.Duration(h.Uint(&b.f.TsNsec)),
		Level:    uint8(h.Uint(&b.f.Level)),
		Facility: uint8(h.Uint(&b.f.Facility)),
		Text:     string(body[:text]),
	}
	if b.f.CallerID.OK() {
		rec.Caller = caller(uint32(h.Uint(&b.f.CallerID)))
	}
	// The dictionary is a list of NUL-separated "KEY=value" pairs.
	for kv := range strings.SplitSeq(string(body[text:text+dict]), "\x00") {
		switch key, val, _ := strings.Cut(kv, "="); key {
		case "SUBSYSTEM":
			rec.Subsystem = val
		case "DEVICE":
			rec.Device = val
		}
	}
	if err := h.Err(); err != nil {
		return 0, err
	}
	l.Records = append(l.Records, rec)
	return length, nil
}
