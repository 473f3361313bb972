package heap

import "slices"

// piece is a run of whole sub-records that is read as a whole where an object in it is wanted: a
// report asks for the bodies of a few threads, names and holders some twenty times, which lie all
// over the dump.
type piece struct {
	start, end int64
	// low and high bound the addresses of its objects but for class objects, which have no body and
	// lie anywhere.
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

// mayHave says whether one of the addresses, which are sorted, is within the bounds.
func (p *piece) mayHave(addresses []uint64) bool {
	first, _ := slices.BinarySearch(addresses, p.low)
	return first < len(addresses) && addresses[first] <= p.high
}

// around returns what is to be read to meet the objects at addresses, which are sorted: the pieces
// that may have one.
func around(pieces []piece, addresses []uint64) []unit {
	var units []unit
	for _, p := range pieces {
		if p.mayHave(addresses) {
			units = join(units, p)
		}
	}
	return units
}

// join adds a piece to what is to be read, to the last unit where it follows that.
func join(units []unit, p piece) []unit {
	if n := len(units); n > 0 && units[n-1].end == p.start && p.end-units[n-1].start <= unitBytes {
		units[n-1].end = p.end
		return units
	}
	return append(units, unit{start: p.start, end: p.end})
}
