package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// DecodeJSON reads an ExportTraceServiceRequest in OTLP's JSON: names in lower camel
// case, ids in hexadecimal, enumerations as numbers, 64-bit integers as strings or
// numbers. It walks the text token by token, so that the limits hold while it reads.
func DecodeJSON(body []byte, limits Limits) ([]Group, Loss, error) {
	j := jsonDecoder{limiter{Limits: limits}, json.NewDecoder(bytes.NewReader(body))}
	j.in.UseNumber()
	var groups []Group
	err := j.object(func(name string) error {
		if name != "resourceSpans" {
			return j.skip()
		}
		return j.array(func() error { return j.resourceSpans(&groups) })
	})
	if err == nil {
		if _, end := j.in.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return nil, j.loss, fmt.Errorf("%w: at byte %d: %w", ErrMalformed, j.in.InputOffset(), err)
	}
	return groups, j.loss, nil
}

type jsonDecoder struct {
	limiter
	in *json.Decoder
}

// object visits the members of an object; null has none. visit must read the value.
func (j *jsonDecoder) object(visit func(name string) error) error {
	return j.inside('{', func() error {
		name, err := j.in.Token()
		if err != nil {
			return err
		}
		s, _ := name.(string)
		return visit(s)
	})
}

// array visits the members of an array; null has none. visit must read the value.
func (j *jsonDecoder) array(visit func() error) error { return j.inside('[', visit) }

func (j *jsonDecoder) inside(open json.Delim, visit func() error) error {
	t, err := j.in.Token()
	if err != nil || t == nil {
		return err
	}
	if t != open {
		return fmt.Errorf("%v where %q should be", kindOf(t), open.String())
	}
	for j.in.More() {
		if err := visit(); err != nil {
			return err
		}
	}
	_, err = j.in.Token()
	return err
}

// kindOf names a token without showing values from outside.
func kindOf(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		return strconv.Quote(t.String())
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}

// skip reads a value that nobody wants.
func (j *jsonDecoder) skip() error {
	var unused json.RawMessage
	return j.in.Decode(&unused)
}

// scalar reads a value that is neither object nor array: a string, a json.Number, a bool
// or nil.
func (j *jsonDecoder) scalar() (json.Token, error) {
	t, err := j.in.Token()
	if _, ok := t.(json.Delim); ok && err == nil {
		return nil, fmt.Errorf("%s where a string or a number should be", kindOf(t))
	}
	return t, err
}

// string reads a string; null is "".
func (j *jsonDecoder) string() (string, error) {
	t, err := j.scalar()
	if err != nil || t == nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s where a string should be", kindOf(t))
	}
	return s, nil
}

// int reads an integer that may be written as a string.
func (j *jsonDecoder) int() (int64, error) {
	t, err := j.scalar()
	if err != nil {
		return 0, err
	}
	switch t := t.(type) {
	case nil:
		return 0, nil
	case string:
		return strconv.ParseInt(t, 10, 64)
	case json.Number:
		if n, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return n, nil
		}
		x, err := t.Float64() // 1.5e9 is an integer too
		if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<62 {
			return 0, errors.New("a number that is no integer of 64 bits")
		}
		return int64(x), nil
	}
	return 0, fmt.Errorf("%s where an integer should be", kindOf(t))
}

// uint32 reads a number of 32 bits.
func (j *jsonDecoder) uint32(to *uint32) error {
	n, err := j.int()
	if err == nil && (n < 0 || n > math.MaxUint32) {
		err = errors.New("a number that does not fit into 32 bits")
	}
	*to += uint32(n)
	return err
}

// int32 reads an enumeration.
func (j *jsonDecoder) int32() (int32, error) {
	n, err := j.int()
	if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
		err = errors.New("a number that does not fit into 32 bits")
	}
	return int32(n), err
}

// nameTo and time read a short text and a moment.
func (j *jsonDecoder) nameTo(to *string) error {
	s, err := j.string()
	*to = j.name(s)
	return err
}

func (j *jsonDecoder) time(to *int64) error {
	n, err := j.int()
	*to = max(0, n)
	return err
}

// hex reads an identifier; one of another length is none.
func (j *jsonDecoder) hex(to []byte) error {
	s, err := j.string()
	if err != nil || len(s) != 2*len(to) {
		return err
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return errors.New("an id that is not in hexadecimal digits")
	}
	copy(to, b)
	return nil
}

// double reads a number, or one of the strings that stand for what JSON cannot say.
func (j *jsonDecoder) double() (float64, error) {
	t, err := j.scalar()
	if err != nil {
		return 0, err
	}
	switch t := t.(type) {
	case nil:
		return 0, nil
	case json.Number:
		return t.Float64()
	case string:
		return strconv.ParseFloat(t, 64)
	}
	return 0, fmt.Errorf("%s where a number should be", kindOf(t))
}

// base64 reads bytes.
func (j *jsonDecoder) base64() (string, error) {
	s, err := j.string()
	if err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if len(b) > j.TextBytes {
		j.loss.Cut++
		b = b[:j.TextBytes]
	}
	return string(b), err
}
