package convert

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The flattened format (makedumpfile's README and -F): a header, then
// big-endian pairs of offset and size, each with its data; the last is −1, −1.
const (
	flatMagic      = "makedumpfile\x00\x00\x00\x00"
	flatHeaderSize = 4096
)

// maxFlatBlock bounds one block; writers use less than this.
const maxFlatBlock = 1 << 30

// Reassemble writes the file that a flattened dump describes.
func Reassemble(w io.WriterAt, r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<20)
	head := make([]byte, flatHeaderSize)
	if _, err := io.ReadFull(in, head); err != nil {
		return fmt.Errorf("reassemble: header: %w", err)
	}
	if string(head[:len(flatMagic)]) != flatMagic {
		return fmt.Errorf("reassemble: not a flattened dump")
	}
	for {
		var at struct{ Off, Size int64 }
		if err := binary.Read(in, binary.BigEndian, &at); err != nil {
			return fmt.Errorf("reassemble: block header: %w", err)
		}
		if at.Off == -1 && at.Size == -1 {
			return nil
		}
		if at.Off < 0 || at.Size <= 0 || at.Size > maxFlatBlock {
			return fmt.Errorf("reassemble: block of %d bytes at %d", at.Size, at.Off)
		}
		if _, err := io.CopyN(io.NewOffsetWriter(w, at.Off), in, at.Size); err != nil {
			return fmt.Errorf("reassemble: block of %d bytes at %d: %w", at.Size, at.Off, err)
		}
	}
}
