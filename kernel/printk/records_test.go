package printk_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/mem"
)

const recordTypes = `
printk_log 16
  0 u64 ts_nsec
  8 u16 len
  10 u16 text_len
  12 u16 dict_len
  14 u8 facility
  15 u8 level
`

// record encodes a struct printk_log with its text and dictionary, padded to 8 bytes.
func record(ts uint64, text, dict string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, ts)
	n := (16 + len(text) + len(dict) + 7) &^ 7
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	b = append(b, 0, 6)
	b = append(append(b, text...), dict...)
	return append(b, make([]byte, n-len(b))...)
}

// recordVars makes a kernel whose log_buf holds buf.
func recordVars(t *testing.T, buf []byte, size, first, next uint64) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Types(recordTypes)
	const at = kerneltest.Base
	b.Bytes(at+0x1000, buf)
	for i, v := range []struct {
		name string
		val  uint64
	}{
		{"log_buf", uint64(at + 0x1000)}, {"log_buf_len", size}, {"log_first_idx", first},
		{"log_next_idx", next}, {"log_first_seq", 100},
	} {
		b.Sym(v.name, at+mem.Virt(8*i))
		b.U64(at+mem.Virt(8*i), v.val)
	}
	return b
}

func TestRecords(t *testing.T) {
	one := record(5, "one", "SUBSYSTEM=usb\x00DEVICE=c189:1")
	two := record(6, "two", "")
	three := record(7, "three", "")
	// The newest record did not fit behind the others and went to the start,
	// behind it comes the oldest one that is left.
	buf := append(append([]byte{}, three...), make([]byte, 0x40-len(three))...)
	buf = append(append(buf, one...), two...)
	end := len(buf)
	buf = append(buf, make([]byte, 32)...) // the end mark: a header of length 0
	b := recordVars(t, buf, uint64(len(buf)), 0x40, uint64(len(three)))
	l, err := printk.Load(context.Background(), b.Kernel())
	if err != nil || texts(l) != "one|two|three" || len(l.Problems) != 0 {
		t.Fatalf("%v %q %v", err, texts(l), l.Problems)
	}
	r := l.Records[0]
	if r.Seq != 100 || r.Time != 5*time.Nanosecond || r.Subsystem != "usb" || r.Device != "c189:1" || l.Records[2].Seq != 102 {
		t.Errorf("%+v", r)
	}
	// A record that claims more text than it has room for.
	bad := append([]byte{}, one...)
	binary.LittleEndian.PutUint16(bad[10:], 0xffff)
	b = recordVars(t, bad, uint64(end), 0, uint64(len(bad)))
	l, err = printk.Load(context.Background(), b.Kernel())
	if err != nil || len(l.Records) != 0 || len(l.Problems) != 1 {
		t.Errorf("%v %q %v", err, texts(l), l.Problems)
	}
}
