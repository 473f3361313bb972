package hproftest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Shape says how a dump is written. The zero value is one HEAP_DUMP record with
// roots, classes and objects in this order.
type Shape struct {
	// SegmentBytes, if positive, writes HEAP_DUMP_SEGMENT records of about this
	// size and a HEAP_DUMP_END.
	SegmentBytes int
	// Shuffle, if not 0, is the seed of a random order of all sub-records.
	Shuffle uint64
	// Gzip compresses the whole.
	Gzip bool
	// ChunkBytes, if positive, compresses blocks of this size one by one, as the
	// JDK's own dumps to gzip are.
	ChunkBytes int
	// Zstd compresses the whole.
	Zstd bool
}

// writer encodes big-endian values.
type writer struct {
	bytes.Buffer
	idSize int
}

func (w *writer) u1(v byte)   { w.WriteByte(v) }
func (w *writer) u2(v uint16) { w.Write(binary.BigEndian.AppendUint16(nil, v)) }
func (w *writer) u4(v uint32) { w.Write(binary.BigEndian.AppendUint32(nil, v)) }
func (w *writer) u8(v uint64) { w.Write(binary.BigEndian.AppendUint64(nil, v)) }

func (w *writer) id(v uint64) {
	if w.idSize == 4 {
		w.u4(uint32(v))
	} else {
		w.u8(v)
	}
}

// value writes v as a field of type t; nil is zero.
func (w *writer) value(t hprof.Type, v any) {
	switch x := v.(type) {
	case nil:
		w.Write(make([]byte, t.Width(w.idSize)))
	case *Object:
		if x == nil {
			w.id(0)
		} else {
			w.id(x.ID)
		}
	case *Class:
		w.id(x.ID)
	case bool:
		b := byte(0)
		if x {
			b = 1
		}
		w.u1(b)
	case byte:
		w.u1(x)
	case uint16:
		w.u2(x)
	case int32:
		w.u4(uint32(x))
	case int64:
		w.u8(uint64(x))
	default:
		panic("value of an unknown type")
	}
}

// record appends a top-level record.
func (w *writer) record(tag hprof.Tag, body []byte) {
	w.u1(byte(tag))
	w.u4(0)
	w.u4(uint32(len(body)))
	w.Write(body)
}

// Encode returns the dump as a file of the given shape.
func (d *Dump) Encode(s Shape) []byte {
	w := &writer{idSize: d.idSize}
	w.WriteString("JAVA PROFILE " + d.Version + "\x00")
	w.u4(uint32(d.idSize))
	w.u8(uint64(d.CreatedMs))
	d.describe(w)
	subs := d.subRecords()
	if s.Shuffle != 0 {
		rand.New(rand.NewPCG(s.Shuffle, 0)).Shuffle(len(subs), func(i, j int) { subs[i], subs[j] = subs[j], subs[i] })
	}
	tag, limit := hprof.TagHeapDump, 1<<62
	if s.SegmentBytes > 0 {
		tag, limit = hprof.TagHeapSegment, s.SegmentBytes
	}
	var body []byte
	for _, sub := range subs {
		if len(body) > 0 && len(body)+len(sub) > limit {
			w.record(tag, body)
			body = nil
		}
		body = append(body, sub...)
	}
	w.record(tag, body)
	if tag == hprof.TagHeapSegment {
		w.record(hprof.TagHeapEnd, nil)
	}
	switch {
	case s.Gzip:
		return gzipped(w.Bytes(), "")
	case s.Zstd:
		z, err := zstd.NewWriter(nil)
		must(err)
		return z.EncodeAll(w.Bytes(), nil)
	case s.ChunkBytes > 0:
		var all []byte
		comment := fmt.Sprintf("HPROF BLOCKSIZE=%d", s.ChunkBytes)
		for i, rest := 0, w.Bytes(); len(rest) > 0; i++ {
			// The JDK's blocks are of many sizes, and some later ones have the comment too.
			n := min(len(rest), s.ChunkBytes-i%7)
			if i > 1 {
				comment = ""
			}
			all = append(all, gzipped(rest[:n], comment)...)
			rest = rest[n:]
		}
		return all
	}
	return w.Bytes()
}

// gzipped returns data as one gzip member.
func gzipped(data []byte, comment string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Comment, z.OS = comment, 0
	_, err := z.Write(data)
	must(err)
	must(z.Close())
	return out.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// describe writes names, loaded classes and stacks.
func (d *Dump) describe(w *writer) {
	body := func(fill func(b *writer)) []byte {
		b := &writer{idSize: d.idSize}
		fill(b)
		return b.Bytes()
	}
	for _, s := range d.order {
		w.record(hprof.TagUTF8, body(func(b *writer) {
			b.id(d.names[s])
			if !strings.HasSuffix(s, sourceSuffix) {
				s = strings.ReplaceAll(s, ".", "/")
			}
			b.WriteString(s)
		}))
	}
	for i, c := range d.classes {
		if c.Name == "" {
			continue
		}
		w.record(hprof.TagLoadClass, body(func(b *writer) {
			b.u4(uint32(i + 1))
			b.id(c.ID)
			b.u4(0)
			b.id(d.names[c.Name])
		}))
	}
	frame := uint64(1)
	for _, t := range d.threads {
		first := frame
		for _, f := range t.frames {
			w.record(hprof.TagFrame, body(func(b *writer) {
				b.id(frame)
				b.id(d.names[f.Method])
				b.id(d.names["()V"])
				b.id(d.names[f.Class.source()])
				b.u4(d.serial(f.Class))
				b.u4(uint32(f.Line))
			}))
			frame++
		}
		w.record(hprof.TagTrace, body(func(b *writer) {
			b.u4(t.serial)
			b.u4(t.serial)
			b.u4(uint32(len(t.frames)))
			for ; first < frame; first++ {
				b.id(first)
			}
		}))
	}
}

// serial returns the serial number of a class.
func (d *Dump) serial(c *Class) uint32 {
	for i, k := range d.classes {
		if k == c {
			return uint32(i + 1)
		}
	}
	return 0
}

// subRecords encodes all sub-records, each apart.
func (d *Dump) subRecords() [][]byte {
	var subs [][]byte
	add := func(tag hprof.SubTag, fill func(w *writer)) {
		w := &writer{idSize: d.idSize}
		w.u1(byte(tag))
		fill(w)
		subs = append(subs, w.Bytes())
	}
	for _, r := range d.roots {
		add(r.kind, func(w *writer) {
			w.id(r.id)
			switch r.kind {
			case hprof.SubRootJNIGlobal:
				w.id(0)
			case hprof.SubRootJNILocal, hprof.SubRootJavaFrame, hprof.SubRootThread:
				w.u4(r.thread)
				w.u4(uint32(r.frame))
			case hprof.SubRootNativeStack, hprof.SubRootThreadBlock:
				w.u4(r.thread)
			}
		})
	}
	for _, c := range d.classes {
		add(hprof.SubClassDump, func(w *writer) { d.classDump(w, c) })
	}
	for _, o := range d.objects {
		switch o.elem {
		case 0:
			add(hprof.SubInstance, func(w *writer) { d.instance(w, o) })
		case hprof.TypeObject:
			add(hprof.SubObjectArray, func(w *writer) {
				w.id(o.ID)
				w.u4(0)
				w.u4(uint32(len(o.values)))
				w.id(o.class.ID)
				o.writeElements(w)
			})
		default:
			add(hprof.SubPrimArray, func(w *writer) {
				w.id(o.ID)
				w.u4(0)
				w.u4(uint32(len(o.values) + len(o.bytes)))
				w.u1(byte(o.elem))
				o.writeElements(w)
			})
		}
	}
	return subs
}

func (o *Object) writeElements(w *writer) {
	w.Write(o.bytes)
	for _, v := range o.values {
		w.value(o.elem, v)
	}
}

func (d *Dump) classDump(w *writer, c *Class) {
	w.id(c.ID)
	w.u4(0)
	if c.super != nil {
		w.id(c.super.ID)
	} else {
		w.id(0)
	}
	for _, o := range []*Object{c.loader, c.signers, c.domain, nil, nil} {
		w.value(hprof.TypeObject, o)
	}
	size := 0
	for _, k := range c.hierarchy() {
		for _, f := range k.fields {
			size += f.Type.Width(d.idSize)
		}
	}
	w.u4(uint32(size))
	w.u2(0)
	w.u2(uint16(len(c.statics)))
	for _, s := range c.statics {
		w.id(d.names[s.Name])
		w.u1(byte(s.Type))
		w.value(s.Type, s.value)
	}
	w.u2(uint16(len(c.fields)))
	for _, f := range c.fields {
		w.id(d.names[f.Name])
		w.u1(byte(f.Type))
	}
}

func (d *Dump) instance(w *writer, o *Object) {
	body := &writer{idSize: d.idSize}
	i := 0
	for _, k := range o.class.hierarchy() {
		for _, f := range k.fields {
			body.value(f.Type, o.values[i])
			i++
		}
	}
	w.id(o.ID)
	w.u4(0)
	w.id(o.class.ID)
	w.u4(uint32(body.Len()))
	w.Write(body.Bytes())
}

// WriteFile writes the dump into the test's folder and returns the path.
func (d *Dump) WriteFile(t testing.TB, s Shape) string {
	t.Helper()
	return WriteBytes(t, d.Encode(s))
}

// WriteBytes writes a file into the test's folder and returns the path.
func WriteBytes(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heap.hprof")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
