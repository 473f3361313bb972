package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
)

// textOptions fit the text form to where it goes.
func textOptions(env environment, output string) report.TextOptions {
	if output != "-" {
		return report.TextOptions{}
	}
	return report.TextOptions{Width: term.Width(env.stdout), Color: term.Color(env.stdout, env.getenv)}
}

// checkOutput refuses an output that would destroy the dump. It runs before the
// scan, so that nobody waits for nothing.
func checkOutput(output, dump string) error {
	if output == "-" {
		return nil
	}
	if output == "" {
		return usagef("the path of the output is empty: - is standard output")
	}
	out, err := os.Stat(output)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(output)); err != nil {
			return fmt.Errorf("the folder of the output: %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if out.IsDir() {
		return usagef("the output %q is a directory", output)
	}
	in, err := os.Stat(dump)
	if err == nil && os.SameFile(in, out) {
		return usagef("the output %q is the dump itself", output)
	}
	return nil
}

// writeOutput runs write on the output. A file appears, or is replaced, only when
// all of it is written; a device or pipe is written to as it is.
func writeOutput(env environment, output string, write func(io.Writer) error) error {
	if output == "-" {
		return write(env.stdout)
	}
	target, err := filepath.EvalSymlinks(output)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = output, nil
	}
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	if info, err := os.Stat(target); err == nil {
		if !info.Mode().IsRegular() {
			return writeInPlace(target, write)
		}
		mode = info.Mode().Perm()
	}
	return replaceFile(target, mode, write)
}

// writeInPlace writes to something that is no regular file.
func writeInPlace(target string, write func(io.Writer) error) error {
	file, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// replaceFile writes to a new file beside the target, then renames it. mode is
// subject to the umask.
func replaceFile(target string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	temporary := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+rand.Text()+".tmp")
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", target, err), os.Remove(temporary))
	}
	if err := os.Rename(temporary, target); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
