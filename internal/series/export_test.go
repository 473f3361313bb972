package series

// CountersOf32Bits is how many counters a Deriver carries past their end.
func CountersOf32Bits(d *Deriver) int { return len(d.wraps.last) }
