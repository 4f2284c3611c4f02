// Package flat reads makedumpfile's flattened form in place: the stream that
// makedumpfile -F and QEMU's kdump formats write, of blocks that each say where
// in the real dump file they belong. A block may be overwritten by a later one.
package flat

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/overlay"
)

// Layout (makedumpfile IMPLEMENTATION, "The flattened format"): a header of
// 4096 bytes, then blocks, each headed by two big-endian 64-bit numbers, the
// offset and the size; both are -1 at the end.
const (
	Signature  = "makedumpfile\x00"
	headerSize = 4096
	blockHead  = 16
	offType    = 16
	offVersion = 24
	endMark    = -1
)

const (
	// maxBlocks bounds the index to 200 MB. Writers flush 4 MiB at a time, so
	// that it covers 32 TB; the smallest blocks seen hold one page.
	maxBlocks = 1 << 23
	// smallWindow and largeWindow are how much is read to find the next block
	// heads: little where blocks are large, much where they are small, that is
	// below smallBlock, which a file read copies in the time that it takes anyway.
	smallWindow = 512
	largeWindow = 1 << 20
	smallBlock  = 8 << 10
	// checkEvery is the number of blocks between looks at the context.
	checkEvery = 1 << 12
)

// Reader gives the dump file that a flattened stream describes. It is
// immutable and safe for concurrent use.
type Reader struct {
	src       io.ReaderAt
	name      string
	streamLen int64
	spans     []overlay.Span
	size      int64
	truncated bool
	problems  []string
}

// Open indexes the blocks of a flattened stream of size bytes. A stream that
// ends early, or whose block heads stop making sense, is read as far as it
// goes, and Truncated says so. The error is a *format.FormatError, or ctx's.
func Open(ctx context.Context, src io.ReaderAt, size int64, name string) (*Reader, error) {
	r := &Reader{src: src, name: name, streamLen: size}
	var h [offVersion + 8]byte
	if n, err := src.ReadAt(h[:], 0); n < len(h) {
		return nil, r.errAt(int64(n), "the file ends within the header", format.Cause(err))
	}
	if string(h[:len(Signature)]) != Signature {
		return nil, r.errAt(0, "no makedumpfile signature", format.ErrUnknownFormat)
	}
	if t := binary.BigEndian.Uint64(h[offType:]); t != 1 {
		return nil, r.errAt(offType, fmt.Sprintf("type %d, only 1 is known", t), nil)
	}
	if v := binary.BigEndian.Uint64(h[offVersion:]); v != 1 {
		return nil, r.errAt(offVersion, fmt.Sprintf("version %d, only 1 is known", v), nil)
	}
	if err := r.index(ctx); err != nil {
		return nil, err
	}
	if len(r.spans) == 0 {
		return nil, r.errAt(headerSize, "the stream has no data", nil)
	}
	r.size = int64(r.spans[len(r.spans)-1].End())
	return r, nil
}

func (r *Reader) errAt(off int64, msg string, err error) error {
	return &format.FormatError{Format: "flattened", File: r.name, Off: off, Msg: msg, Err: err}
}

// cutAt notes that the stream is of use only up to pos.
func (r *Reader) cutAt(pos int64, msg string, args ...any) {
	r.truncated = true
	r.problems = append(r.problems, fmt.Sprintf("flattened stream, offset %#x: ", pos)+fmt.Sprintf(msg, args...))
}

// window is a piece of the stream in memory.
type window struct {
	r    *Reader
	buf  []byte
	at   int64 // of buf in the stream
	n    int   // bytes that buf holds
	size int   // to read next
	used int64 // heads found in buf
}

// head gives the block head at pos.
func (w *window) head(pos int64) ([]byte, error) {
	if pos < w.at || pos+blockHead > w.at+int64(w.n) {
		if pos-w.at <= w.used*smallBlock {
			w.size = min(max(4*w.size, smallBlock), len(w.buf))
		} else {
			w.size = smallWindow
		}
		n, err := w.r.src.ReadAt(w.buf[:w.size], pos)
		w.at, w.n, w.used = pos, n, 0
		if n < blockHead {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	w.used++
	return w.buf[pos-w.at:][:blockHead], nil
}

// index reads the block heads.
func (r *Reader) index(ctx context.Context) error {
	w := &window{r: r, buf: make([]byte, min(largeWindow, max(r.streamLen, smallWindow))), at: -1, size: smallWindow}
	var spans []overlay.Span
	for pos := int64(headerSize); ; {
		if len(spans)%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h, err := w.head(pos)
		if err != nil {
			r.cutAt(pos, "no end mark: %v", format.Cause(err))
			break
		}
		off, size := int64(binary.BigEndian.Uint64(h)), int64(binary.BigEndian.Uint64(h[8:]))
		if off == endMark && size == endMark {
			break
		}
		if off < 0 || size <= 0 || off > 1<<62 || size > 1<<62 {
			r.cutAt(pos, "a block for offset %#x of %#x bytes cannot be", off, size)
			break
		}
		if len(spans) == maxBlocks {
			r.cutAt(pos, "more than %d blocks; unpack the stream with makedumpfile -R", maxBlocks)
			break
		}
		pos += blockHead
		have := min(size, r.streamLen-pos)
		if have > 0 {
			spans = append(spans, overlay.Span{Start: uint64(off), Size: uint64(have), Off: pos})
		}
		if have < size {
			r.cutAt(pos, "the file ends within a block of %d bytes", size)
			break
		}
		pos += size
	}
	r.spans = overlay.Flatten(spans)
	return nil
}

// Size is that of the dump file described, in bytes: as far as the stream goes.
func (r *Reader) Size() int64 { return r.size }

// Truncated says whether the stream ended before its end mark.
func (r *Reader) Truncated() bool { return r.truncated }

// Problems tells, for people, where the stream stopped making sense.
func (r *Reader) Problems() []string { return r.problems }

// ReadAt reads the dump file described (io.ReaderAt). What no block wrote is
// zero, as in the sparse file that makedumpfile -R makes; but in a truncated
// stream it is io.ErrUnexpectedEOF.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, r.errAt(off, "negative offset", nil)
	}
	done := 0
	for done < len(p) {
		at := uint64(off) + uint64(done)
		if at >= uint64(r.size) {
			return done, io.EOF
		}
		i, ok := overlay.Find(r.spans, at)
		s := r.spans[i]
		if !ok {
			if r.truncated {
				return done, io.ErrUnexpectedEOF
			}
			n := min(uint64(len(p)-done), s.Start-at)
			clear(p[done : done+int(n)])
			done += int(n)
			continue
		}
		n := int(min(uint64(len(p)-done), s.End()-at))
		got, err := r.src.ReadAt(p[done:done+n], s.Off+int64(at-s.Start))
		done += got
		if got < n {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return done, err
		}
	}
	return done, nil
}
