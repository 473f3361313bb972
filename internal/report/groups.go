package report

import (
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// LoaderRow is a class loader with what the instances of its classes take.
type LoaderRow struct {
	// Loader is the hex address of the loader, "boot" for the boot loader.
	Loader string `json:"loader"`
	// Class is the loader's class, and Name the name that it was given; empty for the
	// boot loader, for loaders that are not in the dump, and for those without a name.
	Class string `json:"class,omitempty"`
	Name  string `json:"name,omitempty"`
	// Classes counts the classes that it defines.
	Classes      int64 `json:"classes"`
	Instances    int64 `json:"instances"`
	ShallowBytes int64 `json:"shallow_bytes"`
	// RetainedBytes is what the reachable instances retain.
	RetainedBytes int64 `json:"retained_bytes"`
	// LoaderRetainedBytes is what the loader object itself retains: what would be freed
	// with it, its classes and their static fields. Nil where there is no such object.
	LoaderRetainedBytes *int64 `json:"loader_retained_bytes,omitempty"`
}

// PackageRow is a Java package with what the instances of its classes take, those of
// arrays of its classes among them.
type PackageRow struct {
	// Package is its name, "(default)" for the unnamed one and "(primitive arrays)".
	Package       string `json:"package"`
	Classes       int64  `json:"classes"`
	Instances     int64  `json:"instances"`
	ShallowBytes  int64  `json:"shallow_bytes"`
	RetainedBytes int64  `json:"retained_bytes"`
}

// Label names a loader the same way in two dumps: by its class and its name.
func (l LoaderRow) Label() string {
	if l.Class == "" {
		return l.Loader
	}
	return objectName(l.Class, l.Name)
}

// groupRows is how many loaders and packages the text form shows.
const groupRows = 10

// loaders writes the class loaders.
func (p *printer) loaders(r *Report) {
	if len(r.Loaders) == 0 {
		return
	}
	shown := r.Loaders[:min(len(r.Loaders), groupRows)]
	p.heading("CLASS LOADERS", "by what the instances of their classes retain")
	rows := make([][]string, len(shown))
	for i, l := range shown {
		object := l.Loader
		if l.Class == "" {
			object = ""
		}
		rows[i] = []string{l.Label(), object, unit.Count(l.Classes), unit.Bytes(l.ShallowBytes), unit.Bytes(l.RetainedBytes), known(l.LoaderRetainedBytes, unit.Bytes)}
	}
	p.table(2, []column{{title: "LOADER", flexible: true}, {title: "OBJECT", optional: 1}, {title: "CLASSES", number: true},
		{title: "SHALLOW", number: true}, {title: "RETAINED", number: true}, {title: "BY ITSELF", number: true, optional: 1}}, rows)
	p.more(int64(len(r.Loaders)-len(shown))+r.Limits.LoadersOmitted, "class loader", "class loaders")
}

// packages writes the packages.
func (p *printer) packages(r *Report) {
	if len(r.Packages) == 0 {
		return
	}
	shown := r.Packages[:min(len(r.Packages), groupRows)]
	p.heading("PACKAGES", "by what the instances of their classes retain")
	rows := make([][]string, len(shown))
	for i, k := range shown {
		rows[i] = []string{k.Package, unit.Count(k.Classes), unit.Count(k.Instances), unit.Bytes(k.ShallowBytes), unit.Bytes(k.RetainedBytes),
			unit.Share(k.RetainedBytes, r.Heap.live())}
	}
	p.table(2, []column{{title: "PACKAGE", flexible: true}, {title: "CLASSES", number: true, optional: 1}, {title: "INSTANCES", number: true},
		{title: "SHALLOW", number: true}, {title: "RETAINED", number: true}, {title: "OF REACHABLE", number: true, optional: 1}}, rows)
	p.more(int64(len(r.Packages)-len(shown))+r.Limits.PackagesOmitted, "package", "packages")
}

// Names of packages that are none.
const (
	packageDefault    = "(default)"
	packagePrimitives = "(primitive arrays)"
)

// PackageOf returns the package of a class, or of the elements of an array, by its name
// as Java source writes it. primitive says that it is an array of primitives, or one of
// such arrays.
func PackageOf(class string, primitive bool) string {
	if primitive {
		return packagePrimitives
	}
	i := strings.LastIndexByte(class, '.')
	if i >= 0 && i+1 < len(class) && class[i+1] >= '0' && class[i+1] <= '9' {
		i = strings.LastIndexByte(class[:i], '.') // the address of a hidden class
	}
	if i <= 0 || strings.HasPrefix(class, "(") {
		return packageDefault
	}
	return class[:i]
}
