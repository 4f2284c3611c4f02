package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/kinquest/inquest/dump/format"
)

// kind is a container that probe recognises.
type kind int

const (
	kindELF kind = iota + 1
	kindKdump
	kindFlat
)

var kinds = []struct {
	off   int
	magic string
	kind  kind
}{
	{0, "\x7fELF", kindELF},
	{0, "KDUMP   ", kindKdump},
	{0, "makedumpfile\x00", kindFlat},
}

// packed are whole-file compressions, with the program that undoes them.
var packed = []struct{ magic, name, program string }{
	{"\x1f\x8b", "gzip", "gunzip"},
	{"\xfd7zXZ\x00", "xz", "unxz"},
	{"\x28\xb5\x2f\xfd", "zstd", "unzstd"},
	{"BZh", "bzip2", "bunzip2"},
	{"\x04\x22\x4d\x18", "lz4", "unlz4"},
	{"\x89LZO\x00", "lzop", "lzop -d"},
	{"PK\x03\x04", "zip", "unzip"},
	{"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"},
}

// refused are other things that people give, and what they are.
var refused = []struct {
	off         int
	magic, what string
}{
	{0, "DISKDUMP", "a diskdump file (kernels before 2.6.20), which is not supported"},
	{0, "PAGEDU64", "a Windows crash dump; convert it with a tool for Windows dumps"},
	{0, "PAGEDUMP", "a Windows crash dump; convert it with a tool for Windows dumps"},
	{0, "QEVM", "a QEMU migration stream, which is not supported yet; use dump-guest-memory"},
	{0, "LibvirtQemudSave", "a libvirt save file, which is not supported yet; use virsh dump --memory-only"},
	{0, "QFI\xfb", "a qcow2 disk image, not a memory dump"},
	{0, "EMiL", "a LiME dump, which is not supported yet"},
	{0, "\xd0\xbe\xd2\xbe", "a VMware suspend state, which is not supported yet"},
	{0, "\xd1\xbe\xd2\xbe", "a VMware suspend state, which is not supported yet"},
	{0, "\xd2\xbe\xd2\xbe", "a VMware suspend state, which is not supported yet"},
	{0, "\xd3\xbe\xd2\xbe", "a VMware suspend state, which is not supported yet"},
	{0, "-----BEGIN", "a text file, not a memory dump"},
	{0x202, "HdrS", "a kernel image (bzImage), not a dump; give the vmcore"},
	{257, "ustar", "a tar archive; unpack it first"},
}

// probeSize covers every magic number above.
const probeSize = 4096

func probe(p part) (kind, error) {
	fail := func(msg string) error {
		return &FormatError{File: p.name, Msg: msg, Err: ErrUnknownFormat}
	}
	if p.size == 0 {
		return 0, fail("the file is empty")
	}
	b := make([]byte, min(p.size, probeSize))
	n, err := p.src.ReadAt(b, 0)
	b = b[:n]
	if err != nil && (n == 0 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)) {
		return 0, &FormatError{File: p.name, Msg: "read the first bytes", Err: format.Cause(err)}
	}
	for _, k := range kinds {
		if at(b, k.off, k.magic) {
			return k.kind, nil
		}
	}
	for _, k := range packed {
		if at(b, 0, k.magic) {
			return 0, fail(fmt.Sprintf("the file is compressed with %s; unpack it first (%s)", k.name, k.program))
		}
	}
	for _, k := range refused {
		if at(b, k.off, k.magic) {
			return 0, fail("this is " + k.what)
		}
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return 0, fail("the file begins with zeroes only: it is empty, or the dump was not written")
	}
	return 0, fail("the first bytes are those of no known format; give a vmcore (ELF core or kdump)")
}

func at(b []byte, off int, magic string) bool {
	return len(b) >= off+len(magic) && string(b[off:off+len(magic)]) == magic
}
