package hprof

// Tag is the kind of a top-level record.
type Tag byte

// The top-level records that HotSpot, the hprof agent and ART write.
const (
	TagUTF8        Tag = 0x01
	TagLoadClass   Tag = 0x02
	TagUnloadClass Tag = 0x03
	TagFrame       Tag = 0x04
	TagTrace       Tag = 0x05
	TagAllocSites  Tag = 0x06
	TagHeapSummary Tag = 0x07
	TagStartThread Tag = 0x0A
	TagEndThread   Tag = 0x0B
	TagHeapDump    Tag = 0x0C
	TagCPUSamples  Tag = 0x0D
	TagControl     Tag = 0x0E
	TagHeapSegment Tag = 0x1C
	TagHeapEnd     Tag = 0x2C
)

// known says whether t is the tag of a record. It tells a record header from garbage
// where a length cannot be trusted.
func (t Tag) known() bool {
	return t >= TagUTF8 && t <= TagHeapSummary || t >= TagStartThread && t <= TagControl || t == TagHeapSegment || t == TagHeapEnd
}

// SubTag is the kind of a sub-record inside a heap dump record.
type SubTag byte

// Sub-records: roots, classes, objects. Those from 0x89 on and SubPrimArrayNoData
// are Android's (ART, format 1.0.3).
const (
	SubRootUnknown     SubTag = 0xFF
	SubRootJNIGlobal   SubTag = 0x01
	SubRootJNILocal    SubTag = 0x02
	SubRootJavaFrame   SubTag = 0x03
	SubRootNativeStack SubTag = 0x04
	SubRootStickyClass SubTag = 0x05
	SubRootThreadBlock SubTag = 0x06
	SubRootMonitor     SubTag = 0x07
	SubRootThread      SubTag = 0x08
	SubClassDump       SubTag = 0x20
	SubInstance        SubTag = 0x21
	SubObjectArray     SubTag = 0x22
	SubPrimArray       SubTag = 0x23

	SubRootInterned    SubTag = 0x89
	SubRootFinalizing  SubTag = 0x8A
	SubRootDebugger    SubTag = 0x8B
	SubRootRefCleanup  SubTag = 0x8C
	SubRootVMInternal  SubTag = 0x8D
	SubRootJNIMonitor  SubTag = 0x8E
	SubUnreachable     SubTag = 0x90
	SubPrimArrayNoData SubTag = 0xC3
	SubHeapInfo        SubTag = 0xFE
)

// Type is the type of a field or of the elements of an array.
type Type byte

// Field and element types.
const (
	TypeObject  Type = 2
	TypeBoolean Type = 4
	TypeChar    Type = 5
	TypeFloat   Type = 6
	TypeDouble  Type = 7
	TypeByte    Type = 8
	TypeShort   Type = 9
	TypeInt     Type = 10
	TypeLong    Type = 11
)

// Width returns the size of a value in the dump in bytes, idSize for
// references, 0 for a type that does not exist.
func (t Type) Width(idSize int) int {
	switch t {
	case TypeObject:
		return idSize
	case TypeBoolean, TypeByte:
		return 1
	case TypeChar, TypeShort:
		return 2
	case TypeFloat, TypeInt:
		return 4
	case TypeDouble, TypeLong:
		return 8
	}
	return 0
}

// JavaName returns the type's name in Java source, such as "int"; "" for
// references and for types that do not exist.
func (t Type) JavaName() string {
	switch t {
	case TypeBoolean:
		return "boolean"
	case TypeChar:
		return "char"
	case TypeFloat:
		return "float"
	case TypeDouble:
		return "double"
	case TypeByte:
		return "byte"
	case TypeShort:
		return "short"
	case TypeInt:
		return "int"
	case TypeLong:
		return "long"
	}
	return ""
}

// RootName names a kind of GC root, "other root" for tags that are none.
func (t SubTag) RootName() string {
	switch t {
	case SubRootJNIGlobal:
		return "JNI global"
	case SubRootJNILocal:
		return "JNI local"
	case SubRootJavaFrame:
		return "java frame"
	case SubRootNativeStack:
		return "native stack"
	case SubRootStickyClass:
		return "system class"
	case SubRootThreadBlock:
		return "thread block"
	case SubRootMonitor, SubRootJNIMonitor:
		return "monitor"
	case SubRootThread:
		return "thread"
	case SubRootInterned:
		return "interned string"
	case SubRootFinalizing:
		return "finalizing"
	case SubRootDebugger:
		return "debugger"
	case SubRootRefCleanup:
		return "reference cleanup"
	case SubRootVMInternal:
		return "VM internal"
	}
	return "other root"
}
