package scan

import (
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// shownItems is how many items of a list a line shows.
const shownItems = 16

// recordNames resolves what records refer to by id. It grows with the classes of a
// dump, not with its objects.
type recordNames struct {
	*hprof.Outline
	classes map[uint64]string // by the address of the class object
	serials map[uint32]uint64 // addresses by serial number
	ids     map[uint64]uint64 // ids of names by address
}

func newRecordNames(o *hprof.Outline) *recordNames {
	n := &recordNames{o, map[uint64]string{}, map[uint32]uint64{}, map[uint64]uint64{}}
	for c := range o.Classes.All() {
		n.serials[c.Serial], n.ids[c.ID] = c.ID, c.NameID
	}
	return n
}

// class returns the name of the class at an address, "" if nothing tells it.
func (n *recordNames) class(address uint64) string {
	name, ok := n.classes[address]
	if id, known := n.ids[address]; !ok && known {
		name = n.Name(id)
		n.classes[address] = name
	}
	return name
}

// class writes the id of a class, or of anything else, and the name of the class that
// lies there.
func (p *recordPrinter) class(key string, id uint64) {
	p.line.address(key, id)
	if name := p.names.class(id); name != "" {
		p.line.text(key+"_name", name)
	}
}

// name writes the id of a name and the name.
func (p *recordPrinter) name(key string, id uint64) {
	p.line.address(key+"_id", id)
	if text := p.names.Name(id); text != "" {
		p.line.text(key, text)
	}
}

// describe writes the fields of a record.
func (p *recordPrinter) describe(r hprof.Record) {
	l, b, n := &p.line, &r.Body, p.names
	u4 := func(key string) { l.number(key, int64(b.U4())) }
	u8 := func(key string) { l.number(key, int64(b.U8())) }
	name := func(key string) { p.name(key, b.ID()) }
	switch r.Tag {
	case hprof.TagUTF8:
		l.address("id", b.ID())
		l.text("text", string(b.Rest()))
	case hprof.TagLoadClass:
		u4("serial")
		l.address("class", b.ID())
		u4("trace")
		name("name")
	case hprof.TagUnloadClass:
		serial := b.U4()
		l.number("serial", int64(serial))
		p.class("class", n.serials[serial])
	case hprof.TagFrame:
		l.address("id", b.ID())
		name("method")
		name("signature")
		name("source")
		serial := b.U4()
		l.number("class_serial", int64(serial))
		p.class("class", n.serials[serial])
		l.number("line", int64(int32(b.U4())))
	case hprof.TagTrace:
		u4("serial")
		u4("thread")
		frames := int(b.U4())
		l.list("frames", p.ids(b, min(frames, shownItems)), frames)
	case hprof.TagAllocSites:
		l.number("flags", int64(b.U2()))
		l.number("cutoff_bits", int64(b.U4()))
		u4("live_bytes")
		u4("live_instances")
		u8("allocated_bytes")
		u8("allocated_instances")
		u4("sites")
	case hprof.TagHeapSummary:
		u4("live_bytes")
		u4("live_instances")
		u8("allocated_bytes")
		u8("allocated_instances")
	case hprof.TagStartThread:
		u4("serial")
		l.address("thread", b.ID())
		u4("trace")
		name("name")
		name("group")
		name("parent_group")
	case hprof.TagEndThread:
		u4("serial")
	case hprof.TagCPUSamples:
		u4("samples")
		u4("traces")
	case hprof.TagControl:
		u4("flags")
		l.number("depth", int64(b.U2()))
	case hprof.TagHeapDump, hprof.TagHeapSegment:
		l.number("dump", int64(r.Dump)+1)
		if int64(r.Declared) != r.Length {
			l.number("declared", int64(r.Declared))
		}
	}
	if b.Short() {
		l.text("fault", "the record is too short for its fields: what is missing counts as 0")
	}
}

// ids renders the next n ids.
func (p *recordPrinter) ids(b *hprof.Body, n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("%#x", b.ID())
	}
	return items
}

// describeSub writes the fields of the current sub-record.
func (p *recordPrinter) describeSub() {
	o, l, head := p.objects, &p.line, p.objects.Head()
	switch o.Tag {
	case hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray, hprof.SubPrimArrayNoData:
		l.address("id", head.ID())
		l.number("trace", int64(head.U4()))
		p.object()
	case hprof.SubClassDump:
		p.classDump()
	case hprof.SubHeapInfo:
		l.number("heap", int64(head.U4()))
		p.name("name", head.ID())
	default:
		p.class("id", o.ID)
		switch o.Tag {
		case hprof.SubRootJNIGlobal:
			head.ID()
			l.address("reference", head.ID())
		case hprof.SubRootNativeStack, hprof.SubRootThreadBlock:
			l.number("thread", int64(o.Thread))
		case hprof.SubRootThread:
			l.number("thread", int64(o.Thread))
			l.number("trace", int64(o.Frame))
		case hprof.SubRootJNILocal, hprof.SubRootJavaFrame, hprof.SubRootJNIMonitor:
			l.number("thread", int64(o.Thread))
			l.number("frame", int64(o.Frame))
		}
	}
}

// object writes the class of an instance or array and the begin of its body.
func (p *recordPrinter) object() {
	o, l := p.objects, &p.line
	width := 1
	switch o.Tag {
	case hprof.SubInstance:
		p.class("class", o.ClassID)
		l.number("bytes", int64(o.Count))
	case hprof.SubObjectArray:
		p.class("class", o.ClassID)
		l.number("elements", int64(o.Count))
		width = p.file.Header.IDSize
	default:
		l.text("type", o.Elem.JavaName())
		l.number("elements", int64(o.Count))
		width = o.Elem.Width(p.file.Header.IDSize)
	}
	if o.Tag == hprof.SubPrimArrayNoData {
		return
	}
	l.hex("body", o.First(max(shownBytes, 8*width)), int(o.Count)*width)
}

// classDump writes a class with its static fields and the types of its instances'.
func (p *recordPrinter) classDump() {
	o, l, c := p.objects, &p.line, &p.objects.Class
	p.class("id", o.ID)
	l.number("trace", int64(c.Trace))
	p.class("super", c.Super)
	l.address("loader", c.Loader)
	l.address("signers", c.Others[0])
	l.address("protection_domain", c.Others[1])
	l.number("instance_size", int64(c.InstanceSize))
	statics := make([]string, min(len(c.Statics), shownItems))
	for i := range statics {
		s := c.Statics[i]
		statics[i] = fmt.Sprintf("%s %s = %s", typeName(s.Type), p.names.Name(s.NameID), staticValue(s))
	}
	l.list("statics", statics, len(c.Statics))
	fields := make([]string, min(len(c.Fields), shownItems))
	for i := range fields {
		fields[i] = typeName(c.Fields[i].Type) + " " + p.names.Name(c.Fields[i].NameID)
	}
	l.list("fields", fields, len(c.Fields))
}

// staticValue renders the value of a static field.
func staticValue(s hprof.StaticField) string {
	if s.Type == hprof.TypeObject {
		return fmt.Sprintf("%#x", s.Value)
	}
	return javaLiteral(s.Type, s.Value)
}
