package hprof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is an open dump. Its methods may be called from several goroutines.
type File struct {
	// Header is the dump's header.
	Header Header
	// Size is the length of the uncompressed dump in bytes.
	Size int64
	// DiskBytes is the size of the input as it was given.
	DiskBytes int64
	// Compression is "none", "gzip", "gzip-chunked" or "zstd".
	Compression string
	// Damage is nil, or what ended the decompression early: the dump then holds
	// what came before.
	Damage *Error

	data *os.File
}

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Progress is told how many bytes of the input are done; total is 0 where that is
// not known. It is called from several goroutines.
type Progress func(done, total int64)

// Open opens the dump at path, Stdin for standard input. Compressed input, and what
// comes from a pipe, is written once into an unlinked file in the folder for
// temporary files (offheap.Folder), which must have the room. progress may be nil.
//
// Errors: *fs.PathError for a file that cannot be read, ErrNotHprof for foreign
// input, ErrTruncated for a file that ends within its header, and that of ctx.
func Open(ctx context.Context, path string, progress Progress) (*File, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	in, err := openInput(ctx, path)
	if err != nil {
		return nil, err
	}
	f, err := unpack(ctx, in, progress)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
	}
	if f.data != in {
		if err := in.Close(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	f.Header, err = readHeader(f.data)
	if f.Damage != nil && (f.Size == 0 || errors.Is(err, ErrTruncated)) {
		err = f.Damage // why there is no more of it
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

// openInput opens the file at path. Opening a pipe waits for its writer, so that is
// given up when ctx ends.
func openInput(ctx context.Context, path string) (*os.File, error) {
	if path == Stdin {
		return os.Stdin, nil
	}
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		file, err := os.Open(path)
		done <- opened{file, err}
	}()
	var o opened
	select {
	case o = <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if o.err != nil {
		return nil, o.err
	}
	info, err := o.file.Stat()
	if err == nil && info.IsDir() {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("is a directory, not a file")}
	}
	if err != nil {
		return nil, errors.Join(err, o.file.Close())
	}
	return o.file, nil
}

// unpack returns in itself if it is a plain file, else a file with its content.
func unpack(ctx context.Context, in *os.File, progress Progress) (*File, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return spoolStream(ctx, in, 0, progress)
	}
	var lead [4]byte
	if _, err := in.ReadAt(lead[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	switch compressionOf(lead[:]) {
	case "gzip":
		members, err := chunks(ctx, in, info.Size())
		if err != nil {
			return nil, err
		}
		if members != nil {
			return inflateChunks(ctx, in, members, progress)
		}
		return spoolStream(ctx, in, info.Size(), progress)
	case "zstd":
		return spoolStream(ctx, in, info.Size(), progress)
	}
	return &File{Size: info.Size(), DiskBytes: info.Size(), Compression: "none", data: in}, nil
}

// ReadAt reads from the uncompressed dump.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.data.ReadAt(p, off) }

// Close releases the file.
func (f *File) Close() error { return f.data.Close() }
