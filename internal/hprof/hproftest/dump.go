// Package hproftest builds heap dumps for tests: classes, objects, roots and
// stacks by name, written in any shape the format allows.
package hproftest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Dump is a heap under construction. Its methods panic on misuse: they are for
// tests only.
type Dump struct {
	// Version is the header's version, "1.0.2" unless changed.
	Version string
	// CreatedMs is the header's time in milliseconds since the epoch.
	CreatedMs int64

	idSize  int
	address uint64
	names   map[string]uint64
	order   []string // names in the order of their ids
	classes []*Class
	objects []*Object
	roots   []root
	threads []thread
}

// Class is a class of the dump.
type Class struct {
	Name    string
	ID      uint64
	dump    *Dump
	super   *Class
	loader  *Object
	signers *Object
	domain  *Object
	fields  []Field
	statics []static
}

// Field is an instance field.
type Field struct {
	Name string
	Type hprof.Type
}

type static struct {
	Field
	value any
}

// Object is an instance or an array of the dump.
type Object struct {
	ID     uint64
	dump   *Dump
	class  *Class
	elem   hprof.Type // 0 for instances
	values []any      // by field, own class first; or elements
	bytes  []byte     // the elements of a byte[]
}

type root struct {
	kind   hprof.SubTag
	id     uint64
	thread uint32
	frame  int32
}

// Frame is a frame of a thread's stack with the objects its locals refer to.
type Frame struct {
	Class  *Class
	Method string
	Line   int32
	Locals []*Object
}

type thread struct {
	serial uint32
	frames []Frame
}

// New returns an empty dump with ids of 4 or 8 bytes.
func New(idSize int) *Dump {
	return &Dump{
		Version:   "1.0.2",
		CreatedMs: 1_700_000_000_000,
		idSize:    idSize,
		address:   0x7000_0000,
		names:     map[string]uint64{},
	}
}

// Ref declares a field that is a reference.
func Ref(name string) Field { return Field{name, hprof.TypeObject} }

// Int declares an int field.
func Int(name string) Field { return Field{name, hprof.TypeInt} }

// Long declares a long field.
func Long(name string) Field { return Field{name, hprof.TypeLong} }

// Bool declares a boolean field.
func Bool(name string) Field { return Field{name, hprof.TypeBoolean} }

// Byte declares a byte field.
func Byte(name string) Field { return Field{name, hprof.TypeByte} }

// take returns the address of a new object and keeps room for its size.
func (d *Dump) take(size int) uint64 {
	at := d.address
	d.address += uint64(size+7) / 8 * 8
	return at
}

// name returns the id of a name.
func (d *Dump) name(s string) uint64 {
	if id, ok := d.names[s]; ok {
		return id
	}
	d.order = append(d.order, s)
	d.names[s] = uint64(0x1000 + len(d.order)*8)
	return d.names[s]
}

// Class adds a class of the boot loader; the name is Java source's, but with
// descriptors for arrays ("[Ljava.lang.Object;"). With "" the dump does not name it.
func (d *Dump) Class(name string, super *Class, fields ...Field) *Class {
	c := &Class{Name: name, ID: d.take(112), dump: d, super: super, fields: fields}
	d.name(name)
	for _, f := range fields {
		d.name(f.Name)
	}
	d.classes = append(d.classes, c)
	return c
}

// ClassNamed returns the class that was added with that name.
func (d *Dump) ClassNamed(name string) *Class {
	i := slices.IndexFunc(d.classes, func(c *Class) bool { return c.Name == name })
	return d.classes[i]
}

// LoadedBy sets the class's loader.
func (c *Class) LoadedBy(loader *Object) *Class {
	c.loader = loader
	return c
}

// Signed sets the class's signers and its protection domain, nil for none.
func (c *Class) Signed(signers, domain *Object) *Class {
	c.signers, c.domain = signers, domain
	return c
}

// Static adds a static field: an *Object (or nil) for a reference, else a bool,
// int32 or int64.
func (c *Class) Static(name string, value any) *Class {
	c.dump.name(name)
	f := Field{Name: name}
	switch value.(type) {
	case *Object, nil:
		f.Type = hprof.TypeObject
	case bool:
		f.Type = hprof.TypeBoolean
	case int32:
		f.Type = hprof.TypeInt
	case int64:
		f.Type = hprof.TypeLong
	default:
		panic(fmt.Sprintf("static %s of type %T", name, value))
	}
	c.statics = append(c.statics, static{f, value})
	return c
}

// Forget leaves a class out of the dump; what refers to it goes on doing so.
func (d *Dump) Forget(c *Class) {
	d.classes = slices.DeleteFunc(d.classes, func(k *Class) bool { return k == c })
}

// Forget leaves an object out of the dump, references to it stay.
func (o *Object) Forget() {
	o.dump.objects = slices.DeleteFunc(o.dump.objects, func(k *Object) bool { return k == o })
}

// hierarchy returns the class and its superclasses.
func (c *Class) hierarchy() []*Class {
	var all []*Class
	for ; c != nil; c = c.super {
		all = append(all, c)
	}
	return all
}

const sourceSuffix = ".java"

// source is the name of the class's source file.
func (c *Class) source() string {
	return c.Name[strings.LastIndexByte(c.Name, '.')+1:] + sourceSuffix
}

// New adds an instance with all fields zero.
func (d *Dump) New(c *Class) *Object {
	o := &Object{dump: d, class: c}
	size := 12
	for _, k := range c.hierarchy() {
		for _, f := range k.fields {
			o.values = append(o.values, nil)
			size += min(f.Type.Width(4), 8)
		}
	}
	o.ID = d.take(size)
	d.objects = append(d.objects, o)
	return o
}

// Set sets a field, given as "field" or, to tell fields of the same name in a
// hierarchy apart, as "Class.field".
func (o *Object) Set(field string, value any) *Object {
	i := 0
	for _, k := range o.class.hierarchy() {
		for _, f := range k.fields {
			if f.Name == field || k.Name+"."+f.Name == field {
				o.values[i] = value
				return o
			}
			i++
		}
	}
	panic(o.class.Name + " has no field " + field)
}

// Array adds an object array of the given class, such as "[Ljava.lang.Object;".
func (d *Dump) Array(c *Class, elements ...*Object) *Object {
	o := &Object{dump: d, class: c, elem: hprof.TypeObject, ID: d.take(16 + 4*len(elements))}
	for _, e := range elements {
		o.values = append(o.values, e)
	}
	d.objects = append(d.objects, o)
	return o
}

// Bytes adds a byte[].
func (d *Dump) Bytes(b []byte) *Object {
	o := &Object{dump: d, elem: hprof.TypeByte, ID: d.take(16 + len(b)), bytes: slices.Clone(b)}
	d.objects = append(d.objects, o)
	return o
}

// Root makes an object a GC root.
func (d *Dump) Root(kind hprof.SubTag, o *Object) { d.roots = append(d.roots, root{kind, o.ID, 0, -1}) }

// DropRoots forgets the GC roots, as a dump does that is damaged where they are.
func (d *Dump) DropRoots() { d.roots = nil }

// StackRoot makes an object a GC root of the given kind on the stack of the thread
// that was added as number serial, from 1; frame -1 is none.
func (d *Dump) StackRoot(kind hprof.SubTag, o *Object, serial uint32, frame int32) {
	d.roots = append(d.roots, root{kind, o.ID, serial, frame})
}

// StickyClasses makes all classes of the boot loader roots, as HotSpot does.
func (d *Dump) StickyClasses() {
	for _, c := range d.classes {
		if c.loader == nil {
			d.roots = append(d.roots, root{hprof.SubRootStickyClass, c.ID, 0, -1})
		}
	}
}

// Thread makes an object a live thread with a stack, innermost frame first.
func (d *Dump) Thread(o *Object, frames ...Frame) {
	serial := uint32(len(d.threads) + 1)
	d.threads = append(d.threads, thread{serial: serial})
	d.roots = append(d.roots, root{hprof.SubRootThread, o.ID, serial, int32(serial)})
	d.Run(o, frames...)
	d.name("()V")
}

// Run sets the stack of a live thread that has none yet.
func (d *Dump) Run(o *Object, frames ...Frame) {
	i := slices.IndexFunc(d.roots, func(r root) bool { return r.kind == hprof.SubRootThread && r.id == o.ID })
	serial := d.roots[i].thread
	d.threads[serial-1].frames = frames
	for i, f := range frames {
		d.name(f.Method)
		d.name(f.Class.source())
		for _, l := range f.Locals {
			d.roots = append(d.roots, root{hprof.SubRootJavaFrame, l.ID, serial, int32(i)})
		}
	}
}
