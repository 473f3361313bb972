package push

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// packWindowBytes is how far back the packing looks for what repeats: most of a
// record. The usual window takes some 6 MiB of memory more.
const packWindowBytes = 1 << 20

// packing packs WriteRequests the way they lie in the queue and go over the wire: in a
// zstd frame each. Safe for concurrent use.
type packing struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newPacking() (*packing, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(packWindowBytes), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("push: zstd: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxUnpackedBytes))
	if err != nil {
		return nil, fmt.Errorf("push: zstd: %w", err)
	}
	return &packing{encoder, decoder}, nil
}

// pack appends a WriteRequest to dst as a frame.
func (p *packing) pack(dst, writeRequest []byte) []byte {
	return p.encoder.EncodeAll(writeRequest, dst)
}

// unpack appends the WriteRequest in a frame to dst.
func (p *packing) unpack(dst, frame []byte) ([]byte, error) { return p.decoder.DecodeAll(frame, dst) }
