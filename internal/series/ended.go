package series

// Ended turns samples into staleness markers of their series, in place.
func Ended(samples []Sample) []Sample {
	for i := range samples {
		samples[i].Value = Stale()
	}
	return samples
}
