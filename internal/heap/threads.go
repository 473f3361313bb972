package heap

import (
	"context"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// ThreadInfo is what a thread object tells of its thread.
type ThreadInfo struct {
	// Name is empty where the dump does not tell.
	Name string
	// Daemon and Virtual are false where the dump does not tell.
	Daemon, Virtual bool
	// Priority is 0 where the dump does not tell.
	Priority int64
	// ID is Thread.getId(), 0 where the dump does not tell.
	ID int64
	// State is that of java.lang.Thread.State, or a virtual thread's own, such as
	// "PARKED"; empty where the dump does not tell.
	State string
}

const (
	threadClass  = "java.lang.Thread"
	holderClass  = "java.lang.Thread$FieldHolder"
	virtualClass = "java.lang.VirtualThread"
)

// ThreadInfos reads thread objects. Others are left out. Errors: that of ctx.
//
// Source: java.lang.Thread; from JDK 19 on daemon, priority and threadStatus lie in its
// holder.
func (g *Graph) ThreadInfos(ctx context.Context, threads []ObjID) (map[ObjID]ThreadInfo, error) {
	infos := map[ObjID]ThreadInfo{}
	names, holders := map[ObjID]ObjID{}, map[ObjID]ObjID{} // by thread; by holder
	err := g.Read(ctx, threads, func(c Content) {
		if c.Elem != 0 || !g.IsSubclass(c.Class, threadClass) {
			return
		}
		virtual := g.IsSubclass(c.Class, "java.lang.BaseVirtualThread")
		info := ThreadInfo{Virtual: virtual, Daemon: virtual} // these are daemons always
		info.read(g, c, threadClass)
		tid, _, _ := g.Field(c, FieldName{Class: threadClass, Field: "tid"})
		info.ID = int64(tid)
		if state, _, ok := g.Field(c, FieldName{Class: virtualClass, Field: "state"}); ok {
			info.State = g.virtualState(int64(state))
		}
		infos[c.Object] = info
		if name, _, ok := g.Field(c, FieldName{Class: threadClass, Field: "name"}); ok {
			names[c.Object] = g.Object(name)
		}
		if holder, _, ok := g.Field(c, FieldName{Class: threadClass, Field: "holder"}); ok {
			holders[g.Object(holder)] = c.Object
		}
	})
	if err != nil {
		return nil, err
	}
	err = g.Read(ctx, slices.Collect(maps.Keys(holders)), func(c Content) {
		info := infos[holders[c.Object]]
		info.read(g, c, holderClass)
		infos[holders[c.Object]] = info
	})
	if err != nil {
		return nil, err
	}
	text, err := g.Strings(ctx, slices.Collect(maps.Values(names)))
	if err != nil {
		return nil, err
	}
	for thread, name := range names {
		info := infos[thread]
		info.Name = text[name]
		infos[thread] = info
	}
	return infos, nil
}

// read takes over the fields that lie in Thread or in its holder.
func (i *ThreadInfo) read(g *Graph, c Content, class string) {
	if v, _, ok := g.Field(c, FieldName{Class: class, Field: "daemon"}); ok {
		i.Daemon = v != 0
	}
	if v, _, ok := g.Field(c, FieldName{Class: class, Field: "priority"}); ok {
		i.Priority = int64(v)
	}
	if v, _, ok := g.Field(c, FieldName{Class: class, Field: "threadStatus"}); ok {
		i.State = threadState(int64(v))
	}
}

// threadState names a Thread.State.
//
// Source: toThreadState of jdk.internal.misc.VM; the bits are JVM TI's.
func threadState(status int64) string {
	switch {
	case status&0x4 != 0:
		return "RUNNABLE"
	case status&0x400 != 0:
		return "BLOCKED"
	case status&0x10 != 0:
		return "WAITING"
	case status&0x20 != 0:
		return "TIMED_WAITING"
	case status&0x2 != 0:
		return "TERMINATED"
	case status&0x1 == 0:
		return "NEW"
	}
	return "RUNNABLE"
}

// virtualState names a state of java.lang.VirtualThread by the constants of its class,
// whose values differ from JDK to JDK. Bit 8 says that it is suspended.
func (g *Graph) virtualState(state int64) string {
	for c := range g.byName.all(virtualClass) {
		for _, s := range g.Classes[c].Statics {
			if s.Type == hprof.TypeInt && int64(int32(s.Value)) == state&^(1<<8) {
				return s.Name
			}
		}
	}
	return ""
}
