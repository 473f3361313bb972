package hprof

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressionOf tells a compression by its magic number.
func compressionOf(lead []byte) string {
	switch {
	case len(lead) >= 2 && lead[0] == 0x1f && lead[1] == 0x8b:
		return "gzip"
	case len(lead) >= 4 && lead[0] == 0x28 && lead[1] == 0xb5 && lead[2] == 0x2f && lead[3] == 0xfd:
		return "zstd"
	}
	return "none"
}

// newSpool returns an unlinked temporary file: it is gone when it is closed,
// whatever happens to the process.
func newSpool() (*os.File, error) {
	spool, err := os.CreateTemp("", "heapscan-*.hprof")
	if err != nil {
		return nil, noRoom(err, 0)
	}
	if err := os.Remove(spool.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), spool.Close())
	}
	return spool, nil
}

// noRoom explains a failed write to the temporary file.
func noRoom(err error, written int64) error {
	return fmt.Errorf("no room to unpack the dump after %d bytes: %w (set TMPDIR to a folder with space)", written, err)
}

// maxZstdWindow bounds the memory that a zstd stream may ask for: that of
// "zstd --long=27", the most its command line unpacks without being asked to.
const maxZstdWindow = 128 << 20

// spoolStream copies what the stream in holds into a temporary file, inflating it
// by its magic number. total is its length, 0 if that is not known.
func spoolStream(ctx context.Context, in io.Reader, total int64, progress Progress) (f *File, err error) {
	counted := &countingReader{ctx: ctx, r: in, total: total, progress: progress}
	buffered := bufio.NewReaderSize(counted, blockSize)
	lead, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	f = &File{Compression: compressionOf(lead)}
	var from io.Reader = buffered
	switch f.Compression {
	case "gzip":
		if from, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("gzip: %w: %w", err, ErrNotHprof)
		}
	case "zstd":
		z, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w: %w", err, ErrNotHprof)
		}
		defer z.Close()
		from = z
	}
	if f.data, err = newSpool(); err != nil {
		return nil, err
	}
	f.Size, err = io.Copy(f.data, onlyDumps(from))
	f.DiskBytes = counted.done
	var path *os.PathError
	switch {
	case err == nil:
		return f, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &path) && path.Op == "write":
		err = noRoom(err, f.Size)
	case f.Compression == "none":
	case f.Size == 0:
		err = fmt.Errorf("%s: %w: %w", f.Compression, err, ErrNotHprof)
	default:
		f.Damage = &Error{Offset: f.Size, What: f.Compression + " data", Err: fmt.Errorf("%w: %w", ErrTruncated, err)}
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// onlyDumps is what r gives, or no more than the beginning of it where that is no dump's:
// what is packed may swell without an end, and a pipe need have none.
func onlyDumps(r io.Reader) io.Reader {
	buffered := bufio.NewReaderSize(r, blockSize)
	if lead, err := buffered.Peek(len(magic)); err == nil && string(lead) != magic {
		return bytes.NewReader(bytes.Clone(lead))
	}
	return buffered
}

// countingReader reports how far r was read, until its context ends.
type countingReader struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	progress    Progress
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.progress(c.done, c.total)
	return n, err
}
