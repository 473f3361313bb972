package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// Address is where somebody says that an object begins.
type Address struct {
	At uint64
	// AsHex is what the same digits are in hexadecimal where they were read as decimal ones: the
	// 0x is left out easily. 0 where they were not.
	AsHex uint64
}

// NoObjectError says that no object begins at an address.
type NoObjectError struct {
	Address uint64
	// Near tells what lies there instead, for people.
	Near string
}

// Error says what is missing.
func (e *NoObjectError) Error() string { return fmt.Sprintf("no object begins at %#x", e.Address) }

// Hint says where there is one.
func (e *NoObjectError) Hint() string { return e.Near }

// ask opens a dump, of which notes are taken, has a question answered and closes the dump.
func ask[A any](ctx context.Context, path string, o Options, notes heap.Options, answer func(context.Context, *dump) (*A, error)) (_ *A, err error) {
	ctx, b := newBudget(ctx, o)
	defer func() { err = b.end(err) }()
	d, err := open(ctx, path, o, notes, b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	a, err := answer(ctx, d)
	if err != nil {
		return nil, err
	}
	d.progress.say("done", phases*d.file.Size)
	return a, nil
}

// object returns the object at an address. Errors: *NoObjectError, that of ctx.
func (d *dump) object(ctx context.Context, a Address) (heap.ObjID, error) {
	address := a.At
	if o := d.graph.Object(address); o != 0 {
		return o, nil
	}
	if d.graph.Object(a.AsHex) != 0 {
		return 0, &NoObjectError{Address: address, Near: fmt.Sprintf("%d is a decimal number, and an object begins at %#x: write the 0x", address, a.AsHex)}
	}
	if c := d.graph.ClassAt(address); c != heap.NoClass {
		return 0, &NoObjectError{Address: address, Near: fmt.Sprintf("%#x is the class %s, which the dump does not describe", address, d.graph.ClassName(c))}
	}
	near, err := d.graph.Near(ctx, address)
	if err != nil {
		return 0, err
	}
	names, err := d.names(ctx, []heap.ObjID{near.Before, near.After})
	if err != nil {
		return 0, err
	}
	describe := func(o heap.ObjID) string {
		n := names.of(o)
		return fmt.Sprintf("%s, a %s", n.Object, n.Class)
	}
	e := &NoObjectError{Address: address}
	switch {
	case address == 0:
		e.Near = "0x0 stands for null, and in exports by Eclipse MAT's rules for the boot loader, which no dump describes"
	case near.Inside:
		e.Near = fmt.Sprintf("%#x lies within %s", address, describe(near.Before))
	case near.Before != 0 && near.After != 0:
		e.Near = fmt.Sprintf("the nearest objects are %s, and %s", describe(near.Before), describe(near.After))
	default:
		e.Near = "the nearest object is " + describe(max(near.Before, near.After))
	}
	return 0, e
}

// rulesName names the rules as the flag --edges does.
func rulesName(e heap.Edges) string {
	if e == heap.EdgesMAT {
		return "mat"
	}
	return "strong"
}

// reference describes a link.
func reference(l heap.Link) report.Reference {
	r := report.Reference{Kind: string(l.Kind), Field: l.Field, DeclaredBy: l.Declaring}
	if l.Strength != heap.Strong {
		r.Strength = l.Strength.String()
	}
	return r
}

// linkReference describes the link of one object, with the place of an element.
func linkReference(l heap.Link) report.Reference {
	r := reference(l)
	if l.Kind == heap.LinkElement {
		r.Index = new(l.Index)
	}
	return r
}
