package scan

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// maxSuperclasses bounds a list of superclasses.
const maxSuperclasses = 100

// InspectOptions steer Inspect.
type InspectOptions struct {
	Object Address
	// Limit bounds every list.
	Limit int
	// Retained asks for what the object retains and for its dominator, which takes the
	// whole graph.
	Retained bool
}

// Inspect tells all that a dump has of one object. Errors: those of File; *NoObjectError.
func Inspect(ctx context.Context, path string, o Options, q InspectOptions) (*report.Inspection, error) {
	if !q.Retained {
		o.Depth = heap.Numbered
	}
	return ask(ctx, path, o, heap.Options{}, func(ctx context.Context, d *dump) (*report.Inspection, error) {
		object, err := d.object(ctx, q.Object)
		if err != nil {
			return nil, err
		}
		i := &inspector{dump: d, object: object, limit: q.Limit}
		if err := i.inspect(ctx); err != nil {
			return nil, err
		}
		if q.Retained {
			err = i.retained(ctx)
		}
		return &i.answer, err
	})
}

// inspector puts an Inspection together.
type inspector struct {
	*dump
	object heap.ObjID
	limit  int
	loader uint64 // of its class
	values []slot // in the order of fields, statics and elements
	answer report.Inspection
}

// slot is where a reference is to be described.
type slot struct {
	to      *report.Value
	address uint64
}

func (i *inspector) inspect(ctx context.Context) error {
	i.progress.say("reading the object", 2*i.file.Size)
	i.answer.Head = *i.report.About()
	i.answer.Limits.Rows = i.limit
	if c := i.graph.ClassAt(i.graph.Address(i.object)); c != heap.NoClass {
		i.class(c)
	} else if err := i.read(ctx); err != nil {
		return err
	}
	if err := i.nameValues(ctx); err != nil {
		return err
	}
	var err error
	if i.answer.Roots, err = i.roots(ctx, i.object); err != nil {
		return err
	}
	referrers, err := i.referrers(ctx, i.object, i.limit)
	if err != nil {
		return err
	}
	i.answer.Referrers = *referrers
	return nil
}

// read describes an instance or an array.
func (i *inspector) read(ctx context.Context) error {
	if err := i.graph.Read(ctx, []heap.ObjID{i.object}, i.content); err != nil {
		return err
	}
	elements, err := i.graph.NonNull(ctx, i.object)
	i.answer.Outgoing += elements
	return err
}

// class describes a class object.
func (i *inspector) class(c heap.ClassID) {
	k := &i.graph.Classes[c]
	i.loader = k.Loader
	i.answer.ShallowBytes, i.answer.Instances = k.MirrorBytes, &k.Instances
	i.superclasses(k.Super)
	i.answer.Limits.StaticsOmitted = int64(max(0, len(k.Statics)-i.limit))
	shown := k.Statics[:len(k.Statics)-int(i.answer.Limits.StaticsOmitted)]
	i.answer.Statics = make([]report.FieldValue, len(shown))
	for n, s := range k.Statics {
		if s.Type == hprof.TypeObject && s.Value != 0 {
			i.answer.Outgoing++
		}
		if n < len(shown) {
			i.answer.Statics[n] = report.FieldValue{Field: s.Name, DeclaredBy: k.Name, Type: typeName(s.Type)}
			i.value(&i.answer.Statics[n].Value, s.Type, s.Value)
		}
	}
}

// content describes the body of an instance or an array.
func (i *inspector) content(c heap.Content) {
	i.answer.ShallowBytes = i.graph.SizeOf(c)
	if c.Class != heap.NoClass {
		i.loader = i.graph.Classes[c.Class].Loader
		i.superclasses(i.graph.Classes[c.Class].Super)
	}
	if c.Elem == 0 {
		i.fields(c)
		return
	}
	i.answer.Length = new(c.Count)
	elements := i.graph.Elements(c, i.limit)
	i.answer.Elements = make([]report.Value, len(elements))
	for n, v := range elements {
		i.value(&i.answer.Elements[n], c.Elem, v)
	}
	i.answer.Limits.ElementsOmitted = c.Count - int64(len(elements))
}

// fields describes the fields of an instance.
func (i *inspector) fields(c heap.Content) {
	all := slices.Collect(i.graph.FieldValues(c))
	i.answer.Limits.FieldsOmitted = int64(max(0, len(all)-i.limit))
	i.answer.Fields = make([]report.FieldValue, min(len(all), i.limit))
	for n, f := range all {
		if f.Field.Type == hprof.TypeObject && f.Value != 0 {
			i.answer.Outgoing++
		}
		if n < i.limit {
			i.answer.Fields[n] = report.FieldValue{Field: f.Field.Name, DeclaredBy: f.Class.Name, Type: typeName(f.Field.Type)}
			i.value(&i.answer.Fields[n].Value, f.Field.Type, f.Value)
		}
	}
}

// superclasses lists a class and those above it.
func (i *inspector) superclasses(c heap.ClassID) {
	for ; c != heap.NoClass && len(i.answer.Superclasses) < maxSuperclasses; c = i.graph.Classes[c].Super {
		i.answer.Superclasses = append(i.answer.Superclasses, i.graph.ClassName(c))
	}
}

// value describes a value, or notes that it is to be described.
func (i *inspector) value(to *report.Value, t hprof.Type, v uint64) {
	switch {
	case t != hprof.TypeObject:
		to.Value = javaLiteral(t, v)
	case v == 0:
		to.Value = "null"
	default:
		i.values = append(i.values, slot{to, v})
	}
}

// nameValues describes the object itself and what it refers to.
func (i *inspector) nameValues(ctx context.Context) error {
	loader := i.graph.Object(i.loader)
	objects := []heap.ObjID{i.object}
	for _, v := range i.values {
		objects = append(objects, i.graph.Object(v.address))
	}
	names, err := i.names(ctx, append(objects, loader))
	if err != nil {
		return err
	}
	i.answer.ObjectName = names.of(i.object)
	i.answer.Loader = loaderName(i.loader)
	if loader != 0 {
		i.answer.LoaderClass = names.of(loader).Class
	}
	for n, v := range i.values {
		name := report.ObjectName{Object: address(v.address)}
		if o := objects[n+1]; o != 0 {
			name = names.of(o)
		}
		v.to.Ref = &name
	}
	return nil
}

// retained adds what takes the graph.
func (i *inspector) retained(ctx context.Context) error {
	if err := i.dominate(ctx); err != nil {
		return err
	}
	i.answer.Reachable = new(i.tree.Reachable(uint32(i.object)))
	i.answer.RetainedBytes = new(int64(i.tree.Retained(uint32(i.object))))
	by := heap.ObjID(i.tree.Dominator(uint32(i.object)))
	if by == 0 {
		return nil
	}
	names, err := i.names(ctx, []heap.ObjID{by})
	if err != nil {
		return err
	}
	i.answer.Dominator = new(names.of(by))
	return nil
}
