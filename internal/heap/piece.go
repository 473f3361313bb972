package heap

import "slices"

// piece is a run of whole sub-records that is read as a whole where an object in it is wanted: a
// report asks for the bodies of a few threads, names and holders some twenty times, which lie all
// over the dump.
type piece struct {
	start, end int64
	// low and high bound the addresses of its objects.
	low, high uint64
}

func newPiece(start int64) piece { return piece{start: start, low: ^uint64(0)} }

// cut ends a piece at end and begins the next one there.
func (w *indexer) cut(p *piece, end int64) {
	if p.low <= p.high {
		p.end = end
		w.pieces = append(w.pieces, *p)
	}
	*p = newPiece(end)
}

// around returns what is to be read to meet the objects at addresses, which are sorted: pieces that
// may have one, joined to units where they follow each other.
func around(pieces []piece, addresses []uint64) []unit {
	var units []unit
	for _, p := range pieces {
		first, _ := slices.BinarySearch(addresses, p.low)
		if first == len(addresses) || addresses[first] > p.high {
			continue
		}
		if n := len(units); n > 0 && units[n-1].end == p.start && p.end-units[n-1].start <= unitBytes {
			units[n-1].end = p.end
			continue
		}
		units = append(units, unit{start: p.start, end: p.end})
	}
	return units
}
