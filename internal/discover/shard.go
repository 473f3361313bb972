package discover

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"reflect"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Shard is one of several sidecars that split the targets among them. The zero
// value has all.
type Shard struct {
	// Index counts from 1 to Count.
	Index, Count int
}

// UnmarshalText reads "i/n"; nothing is the zero value.
func (s *Shard) UnmarshalText(text []byte) error {
	*s = Shard{}
	if len(text) == 0 {
		return nil
	}
	var rest string
	n, _ := fmt.Sscanf(string(text)+" .", "%d/%d %s", &s.Index, &s.Count, &rest)
	if n != 3 || rest != "." || s.Index < 1 || s.Index > s.Count {
		return fmt.Errorf("%q is no shard; write it like 1/3, 2/3 and 3/3", text)
	}
	return nil
}

// String is the written form.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Set is UnmarshalText, for flags.
func (s *Shard) Set(text string) error { return s.UnmarshalText([]byte(text)) }

// Type is the word that help texts use, for flags.
func (*Shard) Type() string { return "i/n" }

// Has tells whether the target belongs to this shard. It depends on the target's
// URL alone, so others that come and go move nothing.
func (s Shard) Has(t jvm.Target) bool {
	if s.Count < 2 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.URL)) // never fails
	return h.Sum64()%uint64(s.Count) == uint64(s.Index-1)
}

// compare orders targets by name and URL.
func compare(a, b jvm.Target) int {
	return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.URL, b.URL))
}

// sameTarget compares targets with their labels.
func sameTarget(a, b jvm.Target) bool { return reflect.DeepEqual(a, b) }
