package lab

import (
	"bufio"
	"fmt"
	"io"
)

// A cpioWriter writes a "newc" archive, the format of an initramfs
// (Documentation/driver-api/early-userspace/buffer-format.rst). The first
// error stays; close gives it.
type cpioWriter struct {
	w   *bufio.Writer
	ino int
	err error
}

func newCPIO(w io.Writer) *cpioWriter { return &cpioWriter{w: bufio.NewWriter(w)} }

// Modes of entries, from stat(2).
const (
	cpioDir  = 0o040755
	cpioFile = 0o100755
)

func (c *cpioWriter) dir(name string)               { c.entry(name, cpioDir, nil) }
func (c *cpioWriter) file(name string, body []byte) { c.entry(name, cpioFile, body) }

func (c *cpioWriter) entry(name string, mode int, body []byte) {
	if c.err != nil {
		return
	}
	c.ino++
	n, _ := fmt.Fprintf(c.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.ino, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name)
	c.pad(n)
	c.w.Write(body)
	c.pad(len(body))
	c.err = c.w.Flush()
}

// pad fills up to a multiple of 4, after n bytes.
func (c *cpioWriter) pad(n int) {
	c.w.Write(make([]byte, -n&3))
}

func (c *cpioWriter) close() error {
	c.entry("TRAILER!!!", 0, nil)
	return c.err
}
