package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"time"
)

// commandQuery asks in text, commandQuit says goodbye.
const (
	commandQuit  = 0x01
	commandQuery = 0x03
)

// Login is who one is.
type Login struct {
	User, Password string
	// TLS encrypts the connection before the user's name is told; nil does not.
	TLS *tls.Config
}

// Conn is a connection that has logged in. It is for one goroutine. After an error that
// is no *Error it is of no use any more.
type Conn struct {
	packets
	plain net.Conn
	// Version is the server's own word, such as "8.4.3" or "10.11.6-MariaDB".
	Version string
}

// NewConn logs in on a connection, which it takes over. An *Error says why the server
// does not want us, ErrNeedsTLS how it would.
func NewConn(ctx context.Context, plain net.Conn, login Login) (*Conn, error) {
	c := &Conn{packets: packets{stream: plain}, plain: plain}
	if err := c.within(ctx, func() error { return c.logIn(ctx, login) }); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return c, nil
}

// Query is the answer to a question: rows of texts as the server writes them, each with
// as many columns. More than 1000 rows, or a row of more than 1 MiB, are an error.
func (c *Conn) Query(ctx context.Context, question string) (rows [][]sql.NullString, err error) {
	err = c.within(ctx, func() error {
		rows, err = c.query(question)
		return err
	})
	return rows, err
}

func (c *Conn) query(question string) ([][]sql.NullString, error) {
	c.sequence = 0
	if err := c.write(append([]byte{commandQuery}, question...)); err != nil {
		return nil, err
	}
	content, err := c.read()
	if err != nil {
		return nil, err
	}
	if content[0] == headerOK {
		return nil, nil
	}
	f := fields{rest: content}
	columns := f.length()
	if f.short || columns == 0 || columns > maxColumns {
		return nil, fmt.Errorf("an answer of %d columns: %w", columns, ErrMalformed)
	}
	for range columns + 1 { // their descriptions, and the end of them
		if content, err = c.read(); err != nil {
			return nil, err
		}
	}
	if !isEnd(content) {
		return nil, ErrMalformed
	}
	var rows [][]sql.NullString
	for {
		content, err := c.read()
		switch {
		case err != nil:
			return nil, err
		case isEnd(content):
			return rows, nil
		}
		row, err := decodeRow(content, int(columns))
		if err != nil {
			return nil, err
		}
		if rows = append(rows, row); len(rows) > maxRows {
			return nil, fmt.Errorf("more than %d rows", maxRows)
		}
	}
}

// isEnd tells the packet behind a list.
func isEnd(content []byte) bool { return content[0] == headerEOF && len(content) < 9 }

func decodeRow(content []byte, columns int) ([]sql.NullString, error) {
	f := fields{rest: content}
	row := make([]sql.NullString, columns)
	for i := range row {
		if len(f.rest) > 0 && f.rest[0] == headerNull {
			f.take(1)
			continue
		}
		row[i] = sql.NullString{String: string(f.take(f.length())), Valid: true}
	}
	if f.short || len(f.rest) > 0 {
		return nil, fmt.Errorf("a row of %d columns: %w", columns, ErrMalformed)
	}
	return row, nil
}

// within does something that ends with ctx at the latest.
func (c *Conn) within(ctx context.Context, do func() error) error {
	if err := c.plain.SetDeadline(time.Time{}); err != nil {
		return err
	}
	over := context.AfterFunc(ctx, func() { _ = c.plain.SetDeadline(time.Unix(1, 0)) }) // what waits ends
	defer over()
	err := do()
	if ctx.Err() != nil && err != nil {
		return context.Cause(ctx)
	}
	return err
}

// Close says goodbye.
func (c *Conn) Close() error {
	c.sequence = 0
	_ = c.plain.SetDeadline(time.Now().Add(time.Second)) // nobody waits for those who do not listen
	_ = c.write([]byte{commandQuit})
	return c.plain.Close()
}
