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
	case bytes.HasPrefix(lead, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(lead) >= 4 && lead[0]&0xf0 == 0x50 && bytes.HasPrefix(lead[1:], []byte{0x2a, 0x4d, 0x18}): // a frame to be skipped, as pzstd begins with
		return "zstd"
	}
	return "none"
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
		from, err = gzip.NewReader(buffered)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, packedFault(f.Compression, 0, io.ErrUnexpectedEOF)
		}
		if err != nil {
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
	to, err := newSpool(ctx)
	if err != nil {
		return nil, err
	}
	f.data = to.file
	f.Size, err = io.Copy(to, onlyDumps(from))
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
	default:
		f.Damage = packedFault(f.Compression, f.Size, err)
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// packedFault is what ends the compressed data of a dump, of which size bytes were unpacked.
func packedFault(compression string, size int64, cause error) *Error {
	if errors.Is(cause, io.ErrUnexpectedEOF) {
		cause = fmt.Errorf("the %s file is cut off", compression)
	}
	return &Error{Offset: size, What: compression + " data", Err: fmt.Errorf("%w: %w", ErrTruncated, cause)}
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
