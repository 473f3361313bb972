package spans

import (
	"crypto/sha256"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

// origins keep one of each resource and scope that waiting spans came with: all spans of a
// process share a few.
type origins struct {
	resources pool[otlp.Resource]
	scopes    pool[otlp.Scope]
}

func newOrigins() origins {
	return origins{pool[otlp.Resource]{}, pool[otlp.Scope]{}}
}

// origin is what a span came with.
type origin struct {
	resource *shared[otlp.Resource]
	scope    *shared[otlp.Scope]
}

// of is a group's origin, shared with those like it.
func (o origins) of(g otlp.Group) origin {
	resource := otlp.Encode([]otlp.Group{{Resource: g.Resource, Scope: &otlp.Scope{}}})
	scope := otlp.Encode([]otlp.Group{{Resource: &otlp.Resource{}, Scope: g.Scope}})
	return origin{o.resources.share(resource, g.Resource, g.Resource.Memory()), o.scopes.share(scope, g.Scope, g.Scope.Memory())}
}

// unused is what the origins that no span uses yet take in memory.
func (o origins) unused(all []origin) (bytes int) {
	seen := map[any]bool{}
	for _, from := range all {
		if from.resource.uses == 0 && !seen[from.resource] {
			bytes += from.resource.bytes
		}
		if from.scope.uses == 0 && !seen[from.scope] {
			bytes += from.scope.bytes
		}
		seen[from.resource], seen[from.scope] = true, true
	}
	return bytes
}

// tidy forgets those that no span uses.
func (o origins) tidy(all []origin) {
	for _, from := range all {
		if from.resource.uses == 0 {
			delete(o.resources, from.resource.key)
		}
		if from.scope.uses == 0 {
			delete(o.scopes, from.scope.key)
		}
	}
}

// use counts one more span, and returns what that takes in memory beside it.
func (from origin) use() (bytes int) { return from.resource.use() + from.scope.use() }

// release counts one span less, and returns what that gives back beside it.
func (o origins) release(from origin) (bytes int) {
	return o.resources.release(from.resource) + o.scopes.release(from.scope)
}

// pool has the values that are in use, by the hash of what they say.
type pool[T any] map[[sha256.Size]byte]*shared[T]

// shared is a value, what it takes in memory, and how many spans use it.
type shared[T any] struct {
	value *T
	bytes int
	uses  int
	key   [sha256.Size]byte
}

// share is the value's like that is in the pool, or itself, which then is.
func (p pool[T]) share(encoded []byte, value *T, bytes int) *shared[T] {
	key := sha256.Sum256(encoded)
	if p[key] == nil {
		p[key] = &shared[T]{value: value, bytes: bytes, key: key}
	}
	return p[key]
}

func (s *shared[T]) use() (bytes int) {
	s.uses++
	if s.uses > 1 {
		return 0
	}
	return s.bytes
}

func (p pool[T]) release(s *shared[T]) (bytes int) {
	s.uses--
	if s.uses > 0 {
		return 0
	}
	delete(p, s.key)
	return s.bytes
}
