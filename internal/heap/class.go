package heap

import "github.com/apm-sidecar/apm-sidecar/internal/hprof"

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
