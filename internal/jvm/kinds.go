package jvm

import (
	"strings"
	"unicode"
)

// PoolKind is what a memory pool is for, the same word under every collector.
type PoolKind string

// The kinds of memory pools.
const (
	PoolEden       PoolKind = "eden"
	PoolSurvivor   PoolKind = "survivor"
	PoolYoung      PoolKind = "young" // collectors that do not split it
	PoolOld        PoolKind = "old"
	PoolSingle     PoolKind = "single" // the whole heap in one pool
	PoolMetaspace  PoolKind = "metaspace"
	PoolClassSpace PoolKind = "class_space" // a part of metaspace: do not add
	PoolCode       PoolKind = "code"
	PoolOther      PoolKind = "other"
)

// Phase says whether application threads stand still while a collector counts
// its time.
type Phase string

// The phases.
const (
	PhasePause      Phase = "pause"
	PhaseConcurrent Phase = "concurrent"
)

// Generation is the part of the heap that a collector covers.
type Generation string

// The generations.
const (
	GenerationYoung Generation = "young"
	GenerationOld   Generation = "old"
	GenerationAll   Generation = "all"
)

// kindOfHeapPool and kindOfOtherPool look at a name in small letters, in order:
// "nursery-survivor" must meet survivor before anything else, "ZGC Young Generation"
// has neither eden nor survivor. Names: HotSpot memoryService.cpp and each collector's
// initialize_serviceability, JDK 8 to 25; OpenJ9 MemoryPoolMXBean documentation. They
// are looked at in every poll, hence no regular expressions.
func kindOfHeapPool(name string) PoolKind {
	switch {
	case containsAny(name, "eden", "nursery-allocate"):
		return PoolEden
	case containsAny(name, "survivor"):
		return PoolSurvivor
	case hasWord(name, "old"), containsAny(name, "tenured"):
		return PoolOld
	case containsAny(name, "young"):
		return PoolYoung
	}
	switch name {
	case "zheap", "shenandoah", "epsilon heap", "java heap", "javaheap":
		return PoolSingle
	}
	return PoolOther
}

func kindOfOtherPool(name string) PoolKind {
	switch {
	case containsAny(name, "compressed class space"):
		return PoolClassSpace
	case containsAny(name, "metaspace", "class storage", "perm gen"):
		return PoolMetaspace
	case containsAny(name, "code"):
		return PoolCode
	}
	return PoolOther
}

func containsAny(name string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(name, p) {
			return true
		}
	}
	return false
}

// hasWord tells whether a word stands in the name by itself.
func hasWord(name, word string) bool {
	separates := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }
	for field := range strings.FieldsFuncSeq(name, separates) {
		if field == word {
			return true
		}
	}
	return false
}

// KindOfPool names the purpose of a pool from the JVM's name for it. heap is the
// MBean's Type: it keeps a "code" pool from ever counting as heap.
func KindOfPool(name string, heap bool) PoolKind {
	name = strings.ToLower(name)
	if heap {
		return kindOfHeapPool(name)
	}
	return kindOfOtherPool(name)
}

// G1Young is the collector of G1 whose collections, the "mixed" ones among them,
// empty the old region as well.
const G1Young = "G1 Young Generation"

// KindOfGC classifies a collector by the JVM's name for it. An unknown one
// counts as a pause of the whole heap.
//
// "G1 Concurrent GC" counts the pauses of the concurrent cycle, remark and cleanup
// (JDK-8297247), so it is a pause. "Cycles" of ZGC and Shenandoah, and the plain "ZGC"
// of JDK 11 to 14, count work beside the application.
func KindOfGC(name string) (Phase, Generation) {
	switch {
	case strings.HasSuffix(name, "Minor Cycles"):
		return PhaseConcurrent, GenerationYoung
	case strings.HasSuffix(name, "Cycles"), name == "ZGC":
		return PhaseConcurrent, GenerationAll
	case strings.HasSuffix(name, "Minor Pauses"):
		return PhasePause, GenerationYoung
	case strings.HasSuffix(name, "Pauses"):
		return PhasePause, GenerationAll
	case strings.Contains(name, "MarkSweep"):
		return PhasePause, GenerationOld
	}
	switch name {
	case "Copy", "ParNew", "PS Scavenge", G1Young, "scavenge", "partial gc":
		return PhasePause, GenerationYoung
	case "G1 Old Generation", "G1 Concurrent GC":
		return PhasePause, GenerationOld
	}
	return PhasePause, GenerationAll
}
