package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxPacket bounds the packets that are read, of which a row is one; maxRows the rows of
// one answer, maxColumns their columns.
const (
	maxPacket  = 1 << 20
	maxRows    = 1000
	maxColumns = 64
)

// The first bytes of packets that tell their kind.
const (
	headerOK       = 0x00
	headerMoreData = 0x01
	headerNull     = 0xfb // in a row; at the start of an answer, a request for a file
	headerEOF      = 0xfe // before a login has succeeded, the request of another method
	headerError    = 0xff
)

// ErrMalformed says that the server does not speak the protocol.
var ErrMalformed = errors.New("the server's answer is not MySQL's protocol")

// Error is what the server has against something.
type Error struct {
	// Code is that of MySQL's list of errors, such as 1045.
	Code    uint16
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("error %d: %s", e.Code, e.Message) }

// packets reads and writes packets: three bytes of length, one that counts them, and the
// content.
type packets struct {
	stream io.ReadWriter
	// sequence is the number of the next one, of either side.
	sequence byte
}

// read is the content of the next packet, an *Error where that is one.
func (p *packets) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.stream, head[:]); err != nil {
		return nil, err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size == 0 || size > maxPacket || head[3] != p.sequence {
		return nil, fmt.Errorf("a packet of %d bytes with the number %d: %w", size, head[3], ErrMalformed)
	}
	p.sequence++
	content := make([]byte, size)
	if _, err := io.ReadFull(p.stream, content); err != nil {
		return nil, err
	}
	if content[0] == headerError {
		return nil, decodeError(content)
	}
	return content, nil
}

// write sends a packet.
func (p *packets) write(content []byte) error {
	n := len(content)
	if n > maxPacket {
		return fmt.Errorf("a packet of %d bytes is too long to send", n)
	}
	packet := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), p.sequence}, content...)
	p.sequence++
	_, err := p.stream.Write(packet)
	return err
}

// decodeError reads an error: its code, and its message behind the state that most have.
func decodeError(content []byte) error {
	f := fields{rest: content[1:]}
	code := f.uint16()
	if f.short {
		return ErrMalformed
	}
	message := f.rest
	if len(message) >= 6 && message[0] == '#' {
		message = message[6:]
	}
	return &Error{Code: code, Message: string(bytes.ToValidUTF8(message, []byte("?")))}
}

// fields cuts a packet into its fields. Beyond its end they are empty, and short is true.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.short, f.rest = true, nil
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// text is what stands before a zero byte.
func (f *fields) text() string {
	end := bytes.IndexByte(f.rest, 0)
	if end < 0 {
		f.short = true
		return ""
	}
	text := f.take(uint64(end))
	f.take(1)
	return string(text)
}

// length is a number of one, three, four or nine bytes.
func (f *fields) length() uint64 {
	first := f.byte()
	var b [8]byte
	switch first {
	case 0xfc:
		copy(b[:], f.take(2))
	case 0xfd:
		copy(b[:], f.take(3))
	case 0xfe:
		copy(b[:], f.take(8))
	case headerNull, headerError:
		f.short = true
	default:
		return uint64(first)
	}
	return binary.LittleEndian.Uint64(b[:])
}
