package heap

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
