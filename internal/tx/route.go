package tx

import (
	"regexp"
	"strings"
	"sync"
)

const (
	// maxSegments bounds a route's depth; what is deeper becomes "*".
	maxSegments = 8
	// maxChildren bounds the different names at one place of the path: one more,
	// and the place counts as a variable.
	maxChildren = 100
	// maxRoutes bounds the routes of one Router; others are Other.
	maxRoutes = 300
	// maxNameBytes bounds one part of a path.
	maxNameBytes = 64
)

// Other is the route of all that came after the first maxRoutes.
const Other = "other"

// Router turns paths into routes of bounded variety, fit for a label. It is not
// safe for concurrent use.
type Router struct {
	root   *place
	routes map[string]bool
}

// place is a node in the tree of paths seen.
type place struct {
	children map[string]*place
	// variable says that too many names were seen here.
	variable bool
}

// shape is a kind of path part that names one thing of many.
type shape struct {
	name    string
	pattern *regexp.Regexp
}

// shapes are what all Routers know.
var shapes = sync.OnceValue(func() []shape {
	return []shape{
		{"{id}", regexp.MustCompile(`^-?[0-9]+$`)},
		{"{uuid}", regexp.MustCompile(`^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$`)},
		{"{date}", regexp.MustCompile(`^[12][0-9]{3}-[0-9]{2}(-[0-9]{2})?([T ].*)?$`)},
		{"{hex}", regexp.MustCompile(`^(0x)?[0-9a-fA-F]*[0-9][0-9a-fA-F]*$`)},
		{"{email}", regexp.MustCompile(`^[^@/]+@[^@/]+\.[^@/]+$`)},
		{"{key}", regexp.MustCompile(`^[A-Za-z0-9_=.~-]*[0-9][A-Za-z0-9_=.~-]*$`)},
	}
})

// NewRouter is a Router that has seen nothing.
func NewRouter() *Router { return &Router{root: &place{}, routes: map[string]bool{}} }

// Path is the path of a request line without its query and its path parameters,
// which may hold a session's id.
func Path(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	if !strings.Contains(uri, ";") {
		return uri
	}
	parts := strings.Split(uri, "/")
	for i := range parts {
		parts[i], _, _ = strings.Cut(parts[i], ";")
	}
	return strings.Join(parts, "/")
}

// Route is the route of a path. The same path may get another route later, a wider
// one, once too many like it were seen.
func (r *Router) Route(path string) string {
	path = Path(path)
	if path == "" {
		return ""
	}
	var b strings.Builder
	at := r.root
	for i, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if i == maxSegments {
			b.WriteString("/*")
			break
		}
		name := r.name(part)
		at, name = at.step(name)
		b.WriteString("/" + name)
	}
	return r.bounded(b.String())
}

// Call is the route of a transaction that is known by a call of the application alone.
func (r *Router) Call(name string) string { return r.bounded(strings.Map(printable, name)) }

// bounded is the route itself, or Other beyond so many.
func (r *Router) bounded(route string) string {
	if !r.routes[route] {
		if len(r.routes) >= maxRoutes {
			return Other
		}
		r.routes[route] = true
	}
	return route
}

// name is the part itself or the placeholder of its shape.
func (r *Router) name(part string) string {
	if len(part) > maxNameBytes {
		return "{long}"
	}
	for _, s := range shapes() {
		if !s.pattern.MatchString(part) {
			continue
		}
		if s.name == "{hex}" && len(part) < 8 || s.name == "{key}" && len(part) < 20 {
			continue // a word such as "v2" or "a4"
		}
		return s.name
	}
	return strings.Map(printable, part)
}

// printable replaces what no label should hold.
func printable(r rune) rune {
	if r <= ' ' || r == 0x7f || r == '"' || r == '\\' || r == 0xfffd {
		return '_'
	}
	return r
}

// step goes down to the child of that name, or to the variable one.
func (p *place) step(name string) (*place, string) {
	if p.children == nil {
		p.children = map[string]*place{}
	}
	if p.variable && !strings.HasPrefix(name, "{") {
		name = "*"
	}
	child, ok := p.children[name]
	if ok {
		return child, name
	}
	if len(p.children) >= maxChildren && !strings.HasPrefix(name, "{") {
		p.variable, p.children = true, map[string]*place{}
		name = "*"
	}
	child = &place{}
	p.children[name] = child
	return child, name
}
