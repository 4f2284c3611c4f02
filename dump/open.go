package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/elfcore"
	"github.com/kinquest/inquest/dump/flat"
	"github.com/kinquest/inquest/dump/kdump"
	"github.com/kinquest/inquest/mem"
)

// Cache geometry for each kind of image. A line of an ELF core is one file
// read, whose cost is mostly the call's.
const (
	cacheBytes  = 24 << 20
	elfLineSize = 16 << 10
)

// Open opens the dump that the files at paths make up: one file, or all
// members of a split set in any order. The format is found by content. Reads
// of the image are cached, except large ones. Errors wrap ErrUnknownFormat when
// no file is a dump, are a *FormatError when one is damaged beyond use, or are
// those of the operating system.
func Open(ctx context.Context, paths ...string) (Image, error) {
	if len(paths) == 0 {
		return nil, errors.New("no dump file given")
	}
	var parts []part
	var files []io.Closer
	closeAll := func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	for _, path := range paths {
		f, size, err := openFile(path)
		if err != nil {
			return nil, errors.Join(err, closeAll())
		}
		files = append(files, f)
		parts = append(parts, part{src: f, size: size, name: path})
	}
	img, err := openParts(ctx, parts)
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	img.closer = closeAll
	return img, nil
}

// OpenReader opens a dump of one file that src gives, of size bytes; name is
// for messages. src stays in use until the last read, and is the caller's to
// close.
func OpenReader(ctx context.Context, src io.ReaderAt, size int64, name string) (Image, error) {
	img, err := openParts(ctx, []part{{src, size, name}})
	if err != nil {
		return nil, err
	}
	return img, nil
}

// part is one file of a dump.
type part struct {
	src  io.ReaderAt
	size int64
	name string
}

func openFile(path string) (*os.File, int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		return nil, 0, err
	}
	if st.IsDir() {
		return nil, 0, fmt.Errorf("%s is a directory: give the vmcore file in it", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	size := st.Size()
	if !st.Mode().IsRegular() { // a block device has its size at its end
		if size, err = f.Seek(0, io.SeekEnd); err != nil || st.Mode()&fs.ModeCharDevice != 0 {
			return nil, 0, errors.Join(fmt.Errorf("%s is not a regular file or block device: copy the dump to a file first", path), f.Close())
		}
	}
	return f, size, nil
}

// image is an open dump behind a cache.
type image struct {
	Image
	cache   *mem.Cache
	streams []*flat.Reader // the flattened ones among the files
	size    int64          // of all files
	closer  func() error
}

// Info adds what the flattened form tells.
func (i *image) Info() Info {
	info := i.Image.Info()
	info.FileSize = i.size
	for _, r := range i.streams {
		info.Flattened = true
		info.Truncated = info.Truncated || r.Truncated()
		info.Problems = slices.Concat(r.Problems(), info.Problems)
	}
	return info
}

func (i *image) ReadMem(p []byte, addr mem.Phys) (int, error) { return i.cache.ReadMem(p, addr) }

// PageState implements PageClassifier; formats that cannot tell answer by their extents.
func (i *image) PageState(addr mem.Phys) PageState {
	if c, ok := i.Image.(PageClassifier); ok {
		return c.PageState(addr)
	}
	for e := range i.Extents() {
		if addr >= e.Start && addr < e.End() {
			return Stored
		}
	}
	return NotStored
}

// CPUs implements CPUSource; formats that record none give none.
func (i *image) CPUs() ([]arch.CPU, error) {
	if c, ok := i.Image.(CPUSource); ok {
		return c.CPUs()
	}
	return nil, nil
}

func (i *image) Close() error {
	err := i.Image.Close()
	if i.closer != nil {
		err = errors.Join(err, i.closer())
	}
	return err
}

func openParts(ctx context.Context, parts []part) (*image, error) {
	kinds := make([]kind, len(parts))
	total := int64(0)
	var streams []*flat.Reader
	for i := range parts {
		p := &parts[i]
		total += p.size
		k, err := probe(*p)
		if err != nil {
			return nil, err
		}
		if k == kindFlat {
			r, err := flat.Open(ctx, p.src, p.size, p.name)
			if err != nil {
				return nil, err
			}
			streams = append(streams, r)
			p.src, p.size = r, r.Size()
			if k, err = probe(*p); err != nil {
				return nil, err
			}
		}
		kinds[i] = k
	}
	img, err := openKind(ctx, kinds, parts)
	if err != nil {
		return nil, err
	}
	img.streams, img.size = streams, total
	return img, nil
}

// openKind opens files whose containers are off.
func openKind(ctx context.Context, kinds []kind, parts []part) (*image, error) {
	for i, k := range kinds {
		switch {
		case k == kindFlat:
			return nil, &FormatError{File: parts[i].name, Msg: "a flattened stream within a flattened stream", Err: ErrUnknownFormat}
		case k != kinds[0]:
			return nil, fmt.Errorf("%s and %s are dumps of different formats; give the files of one dump", parts[0].name, parts[i].name)
		case k == kindELF && len(parts) > 1:
			return nil, fmt.Errorf("%s: an ELF core is one file, but %d files were given", parts[0].name, len(parts))
		}
	}
	if kinds[0] == kindELF {
		f, err := elfcore.Open(parts[0].src, parts[0].size, parts[0].name)
		if err != nil {
			return nil, err
		}
		return &image{Image: f, cache: mem.NewCache(f, cacheBytes, elfLineSize)}, nil
	}
	files := make([]kdump.Part, len(parts))
	for i, p := range parts {
		files[i] = kdump.Part{Src: p.src, Size: p.size, Name: p.name}
	}
	f, err := kdump.Open(ctx, files...)
	if err != nil {
		return nil, err
	}
	return &image{Image: f, cache: mem.NewCache(f, cacheBytes, f.Info().PageSize)}, nil
}
