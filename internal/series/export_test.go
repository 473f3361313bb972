package series

// CountersOf32Bits is how many counters a Deriver carries past their end.
func CountersOf32Bits(d *Deriver) int { return len(d.wraps.last) }

// TrendIsLate tells that the trend of the old region which a Deriver keeps is not that of
// its points.
func TrendIsLate(d *Deriver) bool { return d.old.forecast != d.old.look() }

// Collectors is how many collectors a deriver remembers the count of.
func Collectors(d *Deriver) int { return len(d.churn.collections) }

// PressurePoints is how many points a deriver keeps for the windows of pressure.
func PressurePoints(d *Deriver) int { return len(d.pressure.history) }
