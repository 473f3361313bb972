package hprof

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

// JDK 15 and later compress a dump as a chain of gzip members; a comment in the
// first one tells how many bytes each of them holds at most. They can be inflated on
// all cores.
//
// Source: HotSpot's heapDumperCompression.cpp (GZipCompressor).

const (
	chunkComment = "HPROF BLOCKSIZE="
	// maxChunk bounds the size of a block: the JDK's are 1 MiB.
	maxChunk = 64 << 20
	// chunkHeader is how many bytes of a member's header tell it.
	chunkHeader = 8
	// maxChunks bounds the members of a file: a terabyte in blocks of the JDK's size.
	maxChunks = 1 << 20
)

// beginsChunk says whether b begins like a member that the JDK wrote: deflate, no
// flags or a comment, no time.
func beginsChunk(b []byte) bool {
	return b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && b[3]&^0x10 == 0 && b[4]|b[5]|b[6]|b[7] == 0
}

// members is what a chunked file consists of: member i lies in [at[i], at[i+1]) and
// holds the bytes [out[i], out[i+1]) of the dump, the last one at most block bytes.
type members struct {
	at, out []int64
	block   int64
}

// chunks returns the members of a gzip file of the given size, nil if it is not
// chunked as the JDK does it. What looks like the begin of a member is taken for one, though a heap
// may have such bytes, too: see inflateChunks.
func chunks(ctx context.Context, in *os.File, size int64) (*members, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(io.NewSectionReader(in, 0, size), firstRead))
	if err != nil {
		return nil, nil //nolint:nilerr // the fault is met again, and reported, when the file is read as a stream
	}
	block, err := strconv.ParseInt(strings.TrimPrefix(z.Comment, chunkComment), 10, 64)
	if !strings.HasPrefix(z.Comment, chunkComment) || err != nil || block <= 0 || block > maxChunk {
		return nil, nil //nolint:nilerr // the comment is somebody else's
	}
	m := &members{at: []int64{0}, out: []int64{0}, block: block}
	buf := make([]byte, blockSize)
	for base := int64(0); base < size; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := in.ReadAt(buf, base)
		if err != nil && err != io.EOF {
			return nil, err
		}
		for from := 0; ; from++ {
			i := bytes.Index(buf[from:n], []byte{0x1f, 0x8b, 8})
			if from += i; i < 0 || from+chunkHeader > n {
				break
			}
			if at := base + int64(from); at >= chunkHeader && beginsChunk(buf[from:]) {
				if ok, err := m.add(in, at); !ok || err != nil {
					return nil, err
				}
			}
		}
		if err == io.EOF {
			break
		}
		// A header across the border is found at the next turn, and only then.
		base += int64(n - chunkHeader + 1)
	}
	m.at = append(m.at, size)
	return m, nil
}

// add notes that a member begins at at. The one before it ends there, its last four
// bytes telling how much it holds; ok is false if that cannot be.
func (m *members) add(in *os.File, at int64) (ok bool, err error) {
	var tail [4]byte
	if _, err := in.ReadAt(tail[:], at-4); err != nil {
		return false, err
	}
	holds := int64(binary.LittleEndian.Uint32(tail[:]))
	if holds > m.block || len(m.at) == maxChunks {
		return false, nil
	}
	m.at = append(m.at, at)
	m.out = append(m.out, m.out[len(m.out)-1]+holds)
	return true, nil
}

// inflateChunks inflates the members of in on all cores. Where one of them is not what it should be,
// what follows it may be none: a heap with something packed in it, which deflate stores as it is. Then
// in is read as a stream. What ends the last one early is damage.
func inflateChunks(ctx context.Context, in *os.File, m *members, progress Progress) (*File, error) {
	to, err := newSpool(ctx)
	if err != nil {
		return nil, err
	}
	n := len(m.out)
	f := &File{DiskBytes: m.at[n], Compression: "gzip-chunked", data: to.file}
	var next, done atomic.Int64
	got, bad := make([]int64, n), make([]error, n) // by member
	g, gctx := errgroup.WithContext(ctx)
	for range cores.Workers() {
		g.Go(func() error {
			c := chunkReader{in: in, out: make([]byte, m.block+1)}
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := gctx.Err(); err != nil {
					return err
				}
				size, err := c.inflate(m.at[i], m.at[i+1])
				got[i] = min(int64(size), m.block)
				bad[i] = err
				if _, err := to.WriteAt(c.out[:got[i]], m.out[i]); err != nil {
					return noRoom(err, m.out[i])
				}
				progress(done.Add(m.at[i+1]-m.at[i]), f.DiskBytes)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	end := slices.IndexFunc(bad, func(err error) bool { return err != nil })
	if end < 0 {
		end = n - 1
	}
	if end < n-1 {
		if err := f.Close(); err != nil {
			return nil, err
		}
		return spoolStream(ctx, in, m.at[n], progress)
	}
	f.Size = m.out[end] + got[end]
	if bad[end] != nil {
		f.Damage = packedFault("gzip", f.Size, bad[end])
	}
	if err := to.file.Truncate(f.Size); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), f.Close())
	}
	return f, nil
}

// chunkReader inflates single members. One goroutine each.
type chunkReader struct {
	in  *os.File
	z   gzip.Reader
	buf bufio.Reader
	out []byte // one more than a block: a longer one is damage
}

// inflate inflates the member that is all of [from, to) and returns how many bytes of c.out it
// filled, also with an error.
func (c *chunkReader) inflate(from, to int64) (int, error) {
	c.buf.Reset(io.NewSectionReader(c.in, from, to-from))
	if err := c.z.Reset(&c.buf); err != nil {
		return 0, err
	}
	c.z.Multistream(false)
	n, err := io.ReadFull(&c.z, c.out)
	switch {
	case err == nil:
		return n, errors.New("a block longer than announced")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		// ReadFull says so at the regular end too; only the member's checksum tells.
		if _, err := c.z.Read(c.out[n:]); !errors.Is(err, io.EOF) {
			return n, io.ErrUnexpectedEOF
		}
		if _, err := c.buf.Peek(1); !errors.Is(err, io.EOF) {
			return n, errors.New("a block with something behind it")
		}
		return n, nil
	}
	return n, err
}
