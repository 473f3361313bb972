package hprof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// File is an open dump. Its methods may be called from several goroutines.
type File struct {
	// Header is the dump's header.
	Header Header
	// Size is the length of the uncompressed dump in bytes.
	Size int64
	// DiskBytes is the size of the file as it was given.
	DiskBytes int64
	// Compression is "none" or "gzip".
	Compression string
	// Damage is nil, or what ended the decompression early: the dump then holds
	// what came before.
	Damage *Error

	data *os.File
}

// Open opens the dump at path. A gzip file is inflated once into an unlinked
// file in the folder for temporary files ($TMPDIR), which must have the room.
// Progress, if not nil, is told how many bytes of the compressed file are done.
//
// Errors: *fs.PathError for a file that cannot be read, ErrNotHprof for foreign
// input, ErrTruncated for a file that ends within its header, and that of ctx.
func Open(ctx context.Context, path string, progress func(done, total int64)) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	f := &File{Size: info.Size(), DiskBytes: info.Size(), Compression: "none", data: in}
	var lead [2]byte
	if n, _ := in.ReadAt(lead[:], 0); n == 2 && lead == [2]byte{0x1f, 0x8b} {
		f.Compression = "gzip"
		if err := f.inflate(ctx, in, progress); err != nil {
			return nil, errors.Join(err, in.Close())
		}
	}
	f.Header, err = readHeader(f.data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

// inflate replaces f.data by an unlinked temporary file with the content of the
// gzip file in, which it closes.
func (f *File) inflate(ctx context.Context, in *os.File, progress func(done, total int64)) error {
	spool, err := os.CreateTemp("", "heapscan-*.hprof")
	if err != nil {
		return fmt.Errorf("no room to inflate the dump: %w (set TMPDIR to a folder with space)", err)
	}
	if err := os.Remove(spool.Name()); err != nil {
		return errors.Join(fmt.Errorf("temporary file: %w", err), spool.Close())
	}
	counted := &countingReader{ctx: ctx, r: in, total: f.DiskBytes, progress: progress}
	size, err := copyInflated(spool, counted)
	var path *os.PathError
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), spool.Close())
	case errors.As(err, &path) && path.Op == "write":
		return errors.Join(fmt.Errorf("no room to inflate the dump after %d bytes: %w (set TMPDIR to a folder with space)", size, err), spool.Close())
	case err != nil && size == 0:
		return errors.Join(fmt.Errorf("gzip: %w: %w", err, ErrNotHprof), spool.Close())
	case err != nil:
		f.Damage = &Error{Offset: size, What: "gzip data", Err: ErrTruncated}
	}
	f.data, f.Size = spool, size
	return in.Close()
}

// copyInflated writes what the gzip stream in holds to out and returns how many
// bytes that were. The error of a failed write is an *os.PathError.
func copyInflated(out *os.File, in io.Reader) (int64, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return 0, err
	}
	// WriteTo of the gzip reader writes each block as it is inflated.
	return io.Copy(out, z)
}

// ReadAt reads from the uncompressed dump.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.data.ReadAt(p, off) }

// Close releases the file.
func (f *File) Close() error { return f.data.Close() }

// countingReader reports how far r was read, until its context ends.
type countingReader struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}
