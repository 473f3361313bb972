package push

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// nameLabel carries the metric name in remote write.
const nameLabel = "__name__"

const (
	// maxRecordSamples and maxRecordBytes bound one record of the queue before it is packed.
	maxRecordSamples = 12_000
	maxRecordBytes   = 4 << 20
	// maxUnpackedBytes bounds what a record may inflate to.
	maxUnpackedBytes = 2 * maxRecordBytes
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

// encoder turns samples into a WriteRequest, a TimeSeries each. Its buffers are reused:
// one goroutine at a time.
type encoder struct {
	// raw is the WriteRequest of n samples.
	raw []byte
	n   int
	// labels are those that were encoded last.
	labels []byte
}

// reset begins another WriteRequest.
func (e *encoder) reset() { e.raw, e.n = e.raw[:0], 0 }

// add encodes the first samples that the WriteRequest has room for, if only one in an
// empty one, and tells how many they are. Neighbours often share their labels: those are
// encoded once.
func (e *encoder) add(samples []series.Sample) (added int) {
	for added < len(samples) && e.n < maxRecordSamples {
		s := &samples[added]
		if added == 0 || !s.SharesLabels(&samples[added-1]) {
			e.labels = appendLabels(e.labels[:0], s.Target, s.Labels)
		}
		sample := 1 + 8 + 1 + varintBytes(uint64(s.TimeMs))
		size := 1 + lengthPrefixed(labelBytes(nameLabel, s.Name)) + len(e.labels) + 1 + lengthPrefixed(sample)
		if e.n > 0 && len(e.raw)+1+lengthPrefixed(size) > maxRecordBytes {
			break
		}
		e.raw = binary.AppendUvarint(append(e.raw, tagTimeSeries), uint64(size))
		e.raw = appendLabel(e.raw, nameLabel, s.Name)
		e.raw = append(e.raw, e.labels...)
		e.raw = binary.AppendUvarint(append(e.raw, tagSample), uint64(sample))
		e.raw = binary.LittleEndian.AppendUint64(append(e.raw, tagValue), math.Float64bits(s.Value))
		e.raw = binary.AppendUvarint(append(e.raw, tagTimestamp), uint64(s.TimeMs))
		e.n++
		added++
	}
	return added
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
