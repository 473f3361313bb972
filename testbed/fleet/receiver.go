package main

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"sync"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/klauspost/compress/zstd"
)

// staleBits mark the end of a series.
const staleBits = 0x7ff0000000000002

// receiver takes remote write as VictoriaMetrics does, and counts.
type receiver struct {
	decoder *zstd.Decoder

	mu sync.Mutex
	// seen are the samples by series and time: those sent twice count once.
	seen map[uint64]struct{}
	// ups counts the samples that say that a JVM is up.
	ups, bytes, requests int64
}

func newReceiver() (*receiver, error) {
	decoder, err := zstd.NewReader(nil)
	return &receiver{decoder: decoder, seen: map[uint64]struct{}{}}, err
}

// ServeHTTP takes one request.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	packed, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := r.decoder.DecodeAll(packed, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
		return
	}
	var u prompb.WriteRequestUnmarshaler
	wr, err := u.UnmarshalProtobuf(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.count(wr, len(packed))
	w.Header().Set("X-Server-Hostname", "fleet")
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) count(wr *prompb.WriteRequest, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.bytes += int64(bytes)
	for _, ts := range wr.Timeseries {
		h := fnv.New64a()
		name := ""
		for _, l := range ts.Labels {
			_, _ = io.WriteString(h, l.Name+"\x00"+l.Value+"\x00")
			if l.Name == "__name__" {
				name = l.Value
			}
		}
		series := h.Sum64()
		for _, s := range ts.Samples {
			id := fnv.New64a()
			_, _ = id.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, series), uint64(s.Timestamp)))
			if _, twice := r.seen[id.Sum64()]; twice {
				continue
			}
			r.seen[id.Sum64()] = struct{}{}
			if name == "up" && s.Value == 1 && math.Float64bits(s.Value) != staleBits {
				r.ups++
			}
		}
	}
}

// stats are what a stage has seen so far.
type stats struct {
	// Polls are those that the JVMs answered, Ups the samples up = 1 that arrived.
	Polls    int64 `json:"polls"`
	Ups      int64 `json:"ups"`
	Samples  int64 `json:"samples"`
	Bytes    int64 `json:"bytes"`
	Requests int64 `json:"requests"`
}

func (r *receiver) stats() stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return stats{Ups: r.ups, Samples: int64(len(r.seen)), Bytes: r.bytes, Requests: r.requests}
}
