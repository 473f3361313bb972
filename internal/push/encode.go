package push

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/klauspost/compress/s2"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// nameLabel carries the metric name in remote write.
const nameLabel = "__name__"

const (
	// maxRecordSamples and maxRequestBytes bound one record of the queue.
	maxRecordSamples = 5000
	maxRequestBytes  = 4 << 20
	// maxDecodedBytes bounds what a record may inflate to.
	maxDecodedBytes = 2 * maxRequestBytes
)

// The bytes that begin the fields of a WriteRequest (prometheus, prompb/remote.proto
// and types.proto).
const (
	tagTimeSeries = 1<<3 | 2 // of WriteRequest, and what is inside:
	tagLabel      = 1<<3 | 2 // of TimeSeries
	tagSample     = 2<<3 | 2
	tagLabelName  = 1<<3 | 2 // of Label
	tagLabelValue = 2<<3 | 2
	tagValue      = 1<<3 | 1 // of Sample
	tagTimestamp  = 2 << 3
)

// encoder turns samples into queue payloads: a WriteRequest in an S2 block, which
// costs a third of what a zstd frame does, for every record is packed twice: here for
// the queue and later, in bigger batches, for the receiver. Its buffers are reused:
// one goroutine at a time.
type encoder struct {
	raw, labels, packed []byte
}

// encode encodes the first n samples that fit one record, at least one. The payload is
// valid until the next call.
func (e *encoder) encode(samples []series.Sample) (payload []byte, n int) {
	n = e.writeRequest(samples)
	e.packed = s2.Encode(e.packed[:cap(e.packed)], e.raw)
	return e.packed, n
}

// writeRequest makes raw a WriteRequest of the first n samples that fit, a TimeSeries
// each. Neighbours often share their labels: those are encoded once.
func (e *encoder) writeRequest(samples []series.Sample) (n int) {
	e.raw = e.raw[:0]
	for n < len(samples) && n < maxRecordSamples {
		s := &samples[n]
		if n == 0 || !s.SharesLabels(&samples[n-1]) {
			e.labels = appendLabels(e.labels[:0], s.Target, s.Labels)
		}
		sample := 1 + 8 + 1 + varintBytes(uint64(s.TimeMs))
		size := 1 + lengthPrefixed(labelBytes(nameLabel, s.Name)) + len(e.labels) + 1 + lengthPrefixed(sample)
		if n > 0 && len(e.raw)+1+lengthPrefixed(size) > maxRequestBytes {
			break
		}
		e.raw = binary.AppendUvarint(append(e.raw, tagTimeSeries), uint64(size))
		e.raw = appendLabel(e.raw, nameLabel, s.Name)
		e.raw = append(e.raw, e.labels...)
		e.raw = binary.AppendUvarint(append(e.raw, tagSample), uint64(sample))
		e.raw = binary.LittleEndian.AppendUint64(append(e.raw, tagValue), math.Float64bits(s.Value))
		e.raw = binary.AppendUvarint(append(e.raw, tagTimestamp), uint64(s.TimeMs))
		n++
	}
	return n
}

// appendLabels appends two lists of labels that are sorted by name as one that is.
func appendLabels(dst []byte, a, b []series.Label) []byte {
	for len(a) > 0 && len(b) > 0 {
		next := &a
		if b[0].Name < a[0].Name {
			next = &b
		}
		dst = appendLabel(dst, (*next)[0].Name, (*next)[0].Value)
		*next = (*next)[1:]
	}
	for _, l := range a {
		dst = appendLabel(dst, l.Name, l.Value)
	}
	for _, l := range b {
		dst = appendLabel(dst, l.Name, l.Value)
	}
	return dst
}

func appendLabel(dst []byte, name, value string) []byte {
	dst = binary.AppendUvarint(append(dst, tagLabel), uint64(labelBytes(name, value)))
	dst = binary.AppendUvarint(append(dst, tagLabelName), uint64(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendUvarint(append(dst, tagLabelValue), uint64(len(value)))
	return append(dst, value...)
}

// labelBytes is the length of a Label.
func labelBytes(name, value string) int {
	return 1 + lengthPrefixed(len(name)) + 1 + lengthPrefixed(len(value))
}

// lengthPrefixed is the length of n bytes with their own length before them.
func lengthPrefixed(n int) int { return varintBytes(uint64(n)) + n }

func varintBytes(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }

// appendDecoded is the inverse of the encoder: it appends the WriteRequest to dst.
func appendDecoded(dst, payload []byte) ([]byte, error) {
	n, err := s2.DecodedLen(payload)
	if err != nil {
		return dst, err
	}
	if n > maxDecodedBytes {
		return dst, fmt.Errorf("record inflates to %d bytes, more than %d", n, maxDecodedBytes)
	}
	room := len(dst)
	if cap(dst)-room < n {
		dst = append(make([]byte, 0, 2*room+n), dst...)
	}
	if _, err := s2.Decode(dst[room:room+n:room+n], payload); err != nil {
		return dst, err
	}
	return dst[:room+n], nil
}
