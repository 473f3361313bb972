package jvm

import "regexp"

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

type poolRule struct {
	name *regexp.Regexp
	kind PoolKind
}

// heapPools and otherPools are tried in order: "nursery-survivor" must meet
// survivor before anything else, "ZGC Young Generation" has neither eden nor
// survivor. Names: HotSpot memoryService.cpp and each collector's
// initialize_serviceability, JDK 8 to 25; OpenJ9 MemoryPoolMXBean documentation.
var heapPools = []poolRule{
	{regexp.MustCompile(`(?i)eden|nursery-allocate`), PoolEden},
	{regexp.MustCompile(`(?i)survivor`), PoolSurvivor},
	{regexp.MustCompile(`(?i)\bold\b|tenured`), PoolOld},
	{regexp.MustCompile(`(?i)young`), PoolYoung},
	{regexp.MustCompile(`^(ZHeap|Shenandoah|Epsilon Heap|Java ?[Hh]eap)$`), PoolSingle},
}

var otherPools = []poolRule{
	{regexp.MustCompile(`(?i)compressed class space`), PoolClassSpace},
	{regexp.MustCompile(`(?i)metaspace|class storage|perm gen`), PoolMetaspace},
	{regexp.MustCompile(`(?i)code`), PoolCode},
}

// KindOfPool names the purpose of a pool from the JVM's name for it. heap is the
// MBean's Type: it keeps a "code" pool from ever counting as heap.
func KindOfPool(name string, heap bool) PoolKind {
	rules := otherPools
	if heap {
		rules = heapPools
	}
	for _, r := range rules {
		if r.name.MatchString(name) {
			return r.kind
		}
	}
	return PoolOther
}

type gcRule struct {
	name       *regexp.Regexp
	phase      Phase
	generation Generation
}

// gcRules are tried in order. "G1 Concurrent GC" counts the pauses of the
// concurrent cycle, remark and cleanup (JDK-8297247), so it is a pause.
// "Cycles" of ZGC and Shenandoah, and the plain "ZGC" of JDK 11 to 14, count
// work beside the application.
var gcRules = []gcRule{
	{regexp.MustCompile(`Minor Cycles$`), PhaseConcurrent, GenerationYoung},
	{regexp.MustCompile(`Cycles$|^ZGC$`), PhaseConcurrent, GenerationAll},
	{regexp.MustCompile(`Minor Pauses$`), PhasePause, GenerationYoung},
	{regexp.MustCompile(`Pauses$`), PhasePause, GenerationAll},
	{regexp.MustCompile(`^(Copy|ParNew|PS Scavenge|G1 Young Generation|scavenge|partial gc)$`), PhasePause, GenerationYoung},
	{regexp.MustCompile(`MarkSweep|^G1 Old Generation$|^G1 Concurrent GC$`), PhasePause, GenerationOld},
}

// G1Young is the collector of G1 whose collections, the "mixed" ones among them,
// empty the old region as well.
const G1Young = "G1 Young Generation"

// KindOfGC classifies a collector by the JVM's name for it. An unknown one
// counts as a pause of the whole heap.
func KindOfGC(name string) (Phase, Generation) {
	for _, r := range gcRules {
		if r.name.MatchString(name) {
			return r.phase, r.generation
		}
	}
	return PhasePause, GenerationAll
}
