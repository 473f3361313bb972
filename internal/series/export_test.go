package series

// CountersOf32Bits is how many counters a Deriver carries past their end.
func CountersOf32Bits(d *Deriver) int { return len(d.wraps.last) }

// TrendIsLate tells that the trend of the old region which a Deriver keeps is not that of
// its points.
func TrendIsLate(d *Deriver) bool { return d.old.forecast != d.old.look() }
