package main

import (
	"bytes"
	"os"
)

// configFile is the configuration file, looked at now and then. A pipe is none: it is read once.
type configFile struct {
	// name is empty where there is no file.
	name string
	// taken is the content that was taken over, or refused; seen that of the last look.
	taken, seen []byte
}

// changed looks at the file, and tells whether it has another content than the one taken, the
// same as at the look before: whoever writes it slowly has done by then. Half of a file may be
// a configuration, without a receiver perhaps.
func (f *configFile) changed() bool {
	now, before := f.content(), f.seen
	f.seen = now
	if bytes.Equal(now, f.taken) || !bytes.Equal(now, before) {
		return false
	}
	f.taken = now
	return true
}

// take notes that the content of now is being taken over.
func (f *configFile) take() {
	f.taken = f.content()
	f.seen = f.taken
}

// content is nil where there is none.
func (f *configFile) content() []byte {
	if info, err := os.Stat(f.name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	content, err := os.ReadFile(f.name)
	if err != nil {
		return nil
	}
	return content
}
