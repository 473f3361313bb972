package heap

import (
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// ClassID numbers the classes of a dump from 0, in the order of their addresses.
type ClassID uint32

// NoClass stands for a class that is not there.
const NoClass = ^ClassID(0)

// Class is one class of one loader. It is read-only once the graph is built.
type Class struct {
	// Name is the name as Java source writes it: "byte[]", "com.acme.Order$Line".
	Name string
	// Address is that of the class object, 0 for classes made up for arrays or
	// objects whose class the dump does not describe.
	Address uint64
	// Object is the class object, 0 if it is not in the dump.
	Object ObjID
	// Super is the superclass, NoClass for java.lang.Object and unknown ones.
	Super ClassID
	// Loader is the address of the defining loader, 0 for the boot loader.
	Loader uint64
	// Fields are the class's own instance fields, in the order of the body.
	Fields []Field
	// Statics are its static fields.
	Statics []Static
	// Instances counts its direct instances, and ShallowBytes sums their sizes.
	Instances    int64
	ShallowBytes int64
	// MirrorBytes is the shallow size of the class object, 0 if it is not in the dump.
	MirrorBytes int64

	others       [2]uint64 // signers, protection domain
	superAddress uint64    // 0 for none, also where Super is NoClass
	declared     uint32    // the instance size that the dump declares
	hasDump      bool
	cut          bool       // Fields end before one of unknown width: nothing behind it in a body can be found
	array        hprof.Type // element type for array classes, 0 otherwise
	instance     int64      // shallow size of an instance, not of arrays
}

// instanceless says that there are no instances of the class. Those of classes that are called
// arrays may not have been counted.
func (c *Class) instanceless() bool { return c.Instances == 0 && c.array == 0 }

// ownBytes returns the length of the class's own fields in the body of an instance.
func (c *Class) ownBytes(idSize int) int64 {
	if len(c.Fields) == 0 {
		return 0
	}
	last := c.Fields[len(c.Fields)-1]
	return int64(last.Offset) + int64(last.Type.Width(idSize))
}

// Field is an instance field: Offset is its place within the class's own block
// of the body. The whole body is the own block, then the superclass's, and so on.
type Field struct {
	Name   string
	Type   hprof.Type
	Offset uint32
}

// Static is a static field; Value is an address or the raw bits.
type Static struct {
	Name  string
	Type  hprof.Type
	Value uint64
}

// classTable maps addresses of class objects to ClassIDs: open addressing, linear
// probing, at most half full. The zero address is no key.
type classTable struct {
	keys []uint64
	ids  []ClassID
	mask uint64
}

func newClassTable(n int) *classTable {
	size := 64
	for size < 2*n+1 {
		size *= 2
	}
	return &classTable{keys: make([]uint64, size), ids: make([]ClassID, size), mask: uint64(size - 1)}
}

// hash spreads addresses, whose low bits are zero.
func hash(address uint64) uint64 { return (address * 0x9E3779B97F4A7C15) >> 20 }

func (t *classTable) put(address uint64, id ClassID) {
	i := hash(address) & t.mask
	for t.keys[i] != 0 && t.keys[i] != address {
		i = (i + 1) & t.mask
	}
	t.keys[i], t.ids[i] = address, id
}

func (t *classTable) get(address uint64) ClassID {
	for i := hash(address) & t.mask; ; i = (i + 1) & t.mask {
		switch t.keys[i] {
		case address:
			if address == 0 {
				return NoClass
			}
			return t.ids[i]
		case 0:
			return NoClass
		}
	}
}

// maxDims is how many dimensions an array may have (JVMS 4.3.2).
const maxDims = 255

// javaName turns the dump's name of a class ("java/lang/String", "[[B",
// "[Ljava.lang.String;") into Java source's.
func javaName(name string) string {
	dims := 0
	for dims < min(len(name), maxDims) && name[dims] == '[' {
		dims++
	}
	base := strings.ReplaceAll(name[dims:], "/", ".")
	if dims > 0 {
		switch {
		case strings.HasPrefix(base, "L") && strings.HasSuffix(base, ";"):
			base = base[1 : len(base)-1]
		case len(base) == 1:
			if full := primitive(base[0]); full != "" {
				base = full
			}
		}
	}
	return base + strings.Repeat("[]", dims)
}

// primitive names the element type of an array descriptor (JVMS 4.3.2), "" for
// what is none.
func primitive(descriptor byte) string {
	switch descriptor {
	case 'Z':
		return "boolean"
	case 'B':
		return "byte"
	case 'C':
		return "char"
	case 'S':
		return "short"
	case 'I':
		return "int"
	case 'J':
		return "long"
	case 'F':
		return "float"
	case 'D':
		return "double"
	}
	return ""
}
