package ring

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// A frame on disk is a head of three big-endian uint32, the lengths of summary and
// body and the CRC-32C of both, then the summary as JSON, then the record as
// deflated JSON. The summary is there to build the index without inflating.
const headBytes = 12

const (
	// maxSummaryBytes and maxBodyBytes bound the parts of a frame, so that a damaged
	// length asks for no absurd memory.
	maxSummaryBytes = 64 << 10
	maxBodyBytes    = 8 << 20
	// maxRecordBytes bounds an inflated record.
	maxRecordBytes = 64 << 20
)

// errTorn is a frame that a crash cut short, or that is damaged.
var errTorn = errors.New("a record was not written to its end, or is damaged")

// encoder makes frames. Its compressors, most of a megabyte each, are used again. Safe
// for concurrent use.
type encoder struct{ deflaters sync.Pool }

// encode is the frame of a record.
func (e *encoder) encode(r *tx.Record) ([]byte, error) {
	summary, err := json.Marshal(r.Summary())
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	deflate, used := e.deflaters.Get().(*flate.Writer)
	if used {
		deflate.Reset(&body)
	} else if deflate, err = flate.NewWriter(&body, flate.BestSpeed); err != nil {
		return nil, err
	}
	defer e.deflaters.Put(deflate)
	if err := errors.Join(json.NewEncoder(deflate).Encode(r), deflate.Close()); err != nil {
		return nil, err
	}
	if len(summary) > maxSummaryBytes || body.Len() > maxBodyBytes {
		return nil, fmt.Errorf("record %s is too long to keep: %d bytes", r.ID, body.Len())
	}
	frame := make([]byte, headBytes, headBytes+len(summary)+body.Len())
	binary.BigEndian.PutUint32(frame, uint32(len(summary)))
	binary.BigEndian.PutUint32(frame[4:], uint32(body.Len()))
	frame = append(append(frame, summary...), body.Bytes()...)
	binary.BigEndian.PutUint32(frame[8:], crc32.Checksum(frame[headBytes:], crc32.MakeTable(crc32.Castagnoli)))
	return frame, nil
}

// readFrame reads the next frame: its summary, its body as stored, and its length. It returns
// io.EOF at the end and errTorn for anything that is no whole frame.
func readFrame(r io.Reader) (summary tx.Summary, body []byte, length int64, err error) {
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) {
			return summary, nil, 0, io.EOF
		}
		return summary, nil, 0, errTorn
	}
	summaryBytes, bodyBytes := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	if summaryBytes > maxSummaryBytes || bodyBytes > maxBodyBytes {
		return summary, nil, 0, errTorn
	}
	rest := make([]byte, summaryBytes+bodyBytes)
	if _, err := io.ReadFull(r, rest); err != nil {
		return summary, nil, 0, errTorn
	}
	if crc32.Checksum(rest, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[8:]) {
		return summary, nil, 0, errTorn
	}
	if err := json.Unmarshal(rest[:summaryBytes], &summary); err != nil {
		return summary, nil, 0, errTorn
	}
	return summary, rest[summaryBytes:], int64(headBytes + len(rest)), nil
}

// decode is the record of a frame's body.
func decode(body []byte) (*tx.Record, error) {
	inflate := flate.NewReader(bytes.NewReader(body))
	defer inflate.Close()
	var r tx.Record
	if err := json.NewDecoder(io.LimitReader(inflate, maxRecordBytes)).Decode(&r); err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	return &r, nil
}
