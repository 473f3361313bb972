package hprof

import (
	"encoding/binary"
	"fmt"
)

// classDump decodes the class dump at the cursor: id, u4 trace, ids of super,
// loader, signers, protection domain and two reserved, u4 instance size, then
// u2-counted constants (u2 index, u1 type, value), statics (id name, u1 type,
// value) and fields (id name, u1 type). One field of an unknown type is damage to that class
// alone, see Fault; where there are more, what is read is no class dump.
func (o *Objects) classDump() bool {
	if err := o.decodeClass(); err != nil {
		return o.fail("class dump", err)
	}
	return true
}

func (o *Objects) decodeClass() error {
	fixed := 1 + 7*o.id + 8
	b, err := o.c.peek(fixed + 2)
	if err != nil {
		return err
	}
	ids := b[1+o.id+4:]
	o.ID = o.ref(b[1:])
	d := &o.Class
	d.Trace = binary.BigEndian.Uint32(b[1+o.id:])
	d.Super, d.Loader = o.ref(ids), o.ref(ids[o.id:])
	d.Others = [2]uint64{o.ref(ids[2*o.id:]), o.ref(ids[3*o.id:])}
	d.InstanceSize = binary.BigEndian.Uint32(ids[6*o.id:])
	d.Statics, d.Fields, d.Fault = d.Statics[:0], d.Fields[:0], nil
	o.c.pos += fixed

	n, err := o.u2()
	if err != nil {
		return err
	}
	for range n {
		if _, err := o.u2(); err != nil {
			return err
		}
		if _, _, err := o.value(); err != nil {
			return err
		}
	}
	if n, err = o.u2(); err != nil {
		return err
	}
	for range n {
		name, err := o.name()
		if err != nil {
			return err
		}
		t, v, err := o.value()
		if err != nil {
			return err
		}
		d.Statics = append(d.Statics, StaticField{Field{name, t}, v})
	}
	if n, err = o.u2(); err != nil {
		return err
	}
	for range n {
		name, err := o.name()
		if err != nil {
			return err
		}
		if b, err = o.c.peek(1); err != nil {
			return err
		}
		o.c.pos++
		t := Type(b[0])
		if t.Width(o.id) == 0 {
			unknown := fmt.Errorf("field of unknown type %d", t)
			if d.Fault != nil {
				return unknown
			}
			d.Fault = &Error{Offset: o.Offset, What: "class dump", Err: unknown}
		}
		if d.Fault == nil {
			d.Fields = append(d.Fields, Field{name, t})
		}
	}
	return nil
}

func (o *Objects) u2() (int, error) {
	b, err := o.c.peek(2)
	if err != nil {
		return 0, err
	}
	o.c.pos += 2
	return int(binary.BigEndian.Uint16(b)), nil
}

func (o *Objects) name() (uint64, error) {
	b, err := o.c.peek(o.id)
	if err != nil {
		return 0, err
	}
	o.c.pos += o.id
	return o.ref(b), nil
}

// value decodes u1 type and a value of that type.
func (o *Objects) value() (Type, uint64, error) {
	b, err := o.c.peek(1)
	if err != nil {
		return 0, 0, err
	}
	t := Type(b[0])
	width := t.Width(o.id)
	if width == 0 {
		return 0, 0, fmt.Errorf("value of unknown type %d", b[0])
	}
	if b, err = o.c.peek(1 + width); err != nil {
		return 0, 0, err
	}
	var v uint64
	for _, x := range b[1:] {
		v = v<<8 | uint64(x)
	}
	o.c.pos += 1 + width
	return t, v, nil
}
