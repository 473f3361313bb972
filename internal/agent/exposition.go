package agent

import "strconv"

// exposition is a text of samples in Prometheus' form. A thousand targets have thirty lines
// each, whenever somebody asks: they are put together without package fmt.
type exposition struct {
	text []byte
	// labels are those of the target whose samples are being added.
	labels string
}

// maxExact is up to where all integers are exact in a float64.
const maxExact = 1 << 53

// add appends a sample of the target, with one more label unless that is empty.
func (e *exposition) add(name, label, value string, n float64) {
	e.text = append(append(append(e.text, name...), '{'), e.labels...)
	if label != "" {
		e.text = append(append(append(e.text, ','), label...), '=')
		e.text = strconv.AppendQuote(e.text, value)
	}
	e.text = append(e.text, "} "...)
	if whole := int64(n); float64(whole) == n && -maxExact < whole && whole < maxExact {
		e.text = strconv.AppendInt(e.text, whole, 10)
	} else {
		e.text = strconv.AppendFloat(e.text, n, 'g', -1, 64)
	}
	e.text = append(e.text, '\n')
}
