package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
)

// What client and server can do (MySQL's internals, "Capabilities Flags").
const (
	canLongPassword = 1 << 0
	can41           = 1 << 9
	canTLS          = 1 << 11
	canTransactions = 1 << 13
	canSecure       = 1 << 15
	canMethods      = 1 << 19
)

// utf8mb4 is the number of the collation utf8mb4_general_ci.
const utf8mb4 = 45

// protocolVersion is that of MySQL from 3.21 on.
const protocolVersion = 10

// challengeBytes is how long a challenge is.
const challengeBytes = 20

// greeting is what a server says first.
type greeting struct {
	version   string
	able      uint32
	method    string
	challenge []byte
}

// decodeGreeting reads "Protocol::HandshakeV10".
func decodeGreeting(content []byte) (greeting, error) {
	f := fields{rest: content}
	if v := f.byte(); v != protocolVersion {
		return greeting{}, fmt.Errorf("version %d of the protocol: %w", v, ErrMalformed)
	}
	g := greeting{version: f.text(), method: methodNative}
	f.take(4) // the connection's number
	g.challenge = append(g.challenge, f.take(8)...)
	f.take(1)
	g.able = uint32(f.uint16())
	f.take(3) // character set, status
	g.able |= uint32(f.uint16()) << 16
	bytesOfBoth := int(f.byte())
	f.take(10)
	g.challenge = append(g.challenge, f.take(uint64(max(13, bytesOfBoth-8)))...)
	if g.able&canMethods != 0 {
		g.method = f.text()
	}
	if f.short || g.able&can41 == 0 || g.able&canSecure == 0 {
		return greeting{}, fmt.Errorf("greeting of %q: %w", g.version, ErrMalformed)
	}
	g.challenge = g.challenge[:challengeBytes]
	return g, nil
}

// logIn takes the connection from the server's greeting to the first question.
func (c *Conn) logIn(ctx context.Context, login Login) error {
	content, err := c.read()
	if err != nil {
		return err
	}
	greeted, err := decodeGreeting(content)
	if err != nil {
		return err
	}
	c.Version = greeted.version
	able := uint32(canLongPassword | can41 | canTransactions | canSecure | canMethods)
	if login.TLS != nil {
		if greeted.able&canTLS == 0 {
			return errors.New("the server has no TLS: ssl-mode=disabled goes without, and sends statements in the clear")
		}
		able |= canTLS
	}
	head := binary.LittleEndian.AppendUint32(nil, able)
	head = binary.LittleEndian.AppendUint32(head, maxPacket)
	head = append(head, utf8mb4)
	head = append(head, make([]byte, 23)...)
	if login.TLS != nil {
		if err := c.write(head); err != nil {
			return err
		}
		secured := tls.Client(c.plain, login.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		c.stream = secured
	}
	method := greeted.method
	if _, err := proof(method, "", nil); err != nil {
		method = methodCachingSHA2 // the server's own choice need not be the user's
	}
	proved, err := proof(method, login.Password, greeted.challenge)
	if err != nil {
		return err
	}
	answer := append(append(head, login.User...), 0)
	answer = append(append(answer, byte(len(proved))), proved...)
	if err := c.write(append(append(answer, method...), 0)); err != nil {
		return err
	}
	return c.prove(login, method)
}

// prove goes on until the server is content.
func (c *Conn) prove(login Login, method string) error {
	switched := false
	for {
		content, err := c.read()
		if err != nil {
			return err
		}
		f := fields{rest: content[1:]}
		switch {
		case content[0] == headerOK:
			return nil
		case content[0] == headerEOF && !switched:
			switched = true
			method = f.text()
			if f.short {
				return ErrMalformed // the method of before 4.1
			}
			proved, err := proof(method, login.Password, bytes.TrimSuffix(f.rest, []byte{0}))
			if err != nil {
				return err
			}
			if err := c.write(proved); err != nil {
				return err
			}
		case content[0] == headerMoreData && method == methodCachingSHA2 && len(content) == 2 && content[1] == proofEnough:
		case content[0] == headerMoreData && method == methodCachingSHA2 && len(content) == 2 && content[1] == passwordWanted:
			if login.TLS == nil {
				return ErrNeedsTLS
			}
			if err := c.write(append([]byte(login.Password), 0)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("logging in by %s: %w", method, ErrMalformed)
		}
	}
}
