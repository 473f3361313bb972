package push

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// errNotEncoded says that a WriteRequest is not as the encoder makes it.
var errNotEncoded = errors.New("no WriteRequest of the queue")

// decoder is the inverse of the encoder. It has the memory for what it gives.
type decoder struct {
	samples []series.Sample
	labels  []series.Label
}

// decode gives the samples of a WriteRequest, valid until the next call and as long as
// raw is. Neighbours of the same labels share them, and those are not looked at twice.
func (d *decoder) decode(raw []byte) ([]series.Sample, error) {
	d.samples, d.labels = d.samples[:0], d.labels[:0]
	var last []byte // the encoded labels of the sample before
	var own []series.Label
	for len(raw) > 0 {
		one, rest, ok := field(raw, tagTimeSeries)
		if !ok {
			return nil, errNotEncoded
		}
		raw = rest
		first, rest, ok := field(one, tagLabel)
		name, isLabel := labelOf(first)
		if !ok || !isLabel || name.Name != nameLabel {
			return nil, errNotEncoded
		}
		labels, rest := leading(rest, tagLabel)
		if !bytes.Equal(labels, last) {
			if own, ok = d.appendLabels(labels); !ok {
				return nil, errNotEncoded
			}
			last = labels
		}
		s := series.Sample{Name: name.Value, Labels: own}
		sample, rest, ok := field(rest, tagSample)
		if !ok || len(rest) > 0 || !enterSample(&s, sample) {
			return nil, errNotEncoded
		}
		d.samples = append(d.samples, s)
	}
	return d.samples, nil
}

// appendLabels gives the labels that are encoded one after the other.
func (d *decoder) appendLabels(encoded []byte) ([]series.Label, bool) {
	from := len(d.labels)
	for len(encoded) > 0 {
		one, rest, _ := field(encoded, tagLabel) // leading has seen that it is one
		label, ok := labelOf(one)
		if !ok {
			return nil, false
		}
		d.labels = append(d.labels, label)
		encoded = rest
	}
	return d.labels[from:len(d.labels):len(d.labels)], true
}

// field takes the first field off a message: what is in it, and the rest. It is false
// where the message does not begin with the tag and a length.
func field(message []byte, tag byte) (content, rest []byte, ok bool) {
	if len(message) == 0 || message[0] != tag {
		return nil, message, false
	}
	n, size := binary.Uvarint(message[1:])
	if size <= 0 || n > uint64(len(message)-1-size) {
		return nil, message, false
	}
	from := 1 + size
	to := from + int(n)
	return message[from:to], message[to:], true
}

// leading splits the fields of a tag that a message begins with from the rest.
func leading(message []byte, tag byte) (fields, rest []byte) {
	rest = message
	for ok := true; ok; {
		_, rest, ok = field(rest, tag)
	}
	return message[:len(message)-len(rest)], rest
}

func labelOf(encoded []byte) (label series.Label, ok bool) {
	name, rest, okName := field(encoded, tagLabelName)
	value, rest, okValue := field(rest, tagLabelValue)
	return series.Label{Name: text(name), Value: text(value)}, okName && okValue && len(rest) == 0
}

// enterSample reads an encoded sample's value and time.
func enterSample(s *series.Sample, encoded []byte) bool {
	const timeAt = 1 + 8
	if len(encoded) <= timeAt || encoded[0] != tagValue || encoded[timeAt] != tagTimestamp {
		return false
	}
	s.Value = math.Float64frombits(binary.LittleEndian.Uint64(encoded[1:]))
	timeMs, size := binary.Uvarint(encoded[timeAt+1:])
	s.TimeMs = int64(timeMs)
	return size > 0 && timeAt+1+size == len(encoded)
}

// text is a string of the bytes themselves.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
