package heap

import "strings"

// maxDims is how many dimensions an array may have (JVMS 4.3.2).
const maxDims = 255

// javaName turns the dump's name of a class ("java/lang/String", "[[B",
// "[Ljava.lang.String;") into Java source's.
func javaName(name string) string {
	dims := 0
	for dims < min(len(name), maxDims) && name[dims] == '[' {
		dims++
	}
	base := strings.ReplaceAll(name[dims:], "/", ".")
	if dims > 0 {
		switch {
		case strings.HasPrefix(base, "L") && strings.HasSuffix(base, ";"):
			base = base[1 : len(base)-1]
		case len(base) == 1:
			if full := primitive(base[0]); full != "" {
				base = full
			}
		}
	}
	return base + strings.Repeat("[]", dims)
}

// primitive names the element type of an array descriptor (JVMS 4.3.2), "" for
// what is none.
func primitive(descriptor byte) string {
	switch descriptor {
	case 'Z':
		return "boolean"
	case 'B':
		return "byte"
	case 'C':
		return "char"
	case 'S':
		return "short"
	case 'I':
		return "int"
	case 'J':
		return "long"
	case 'F':
		return "float"
	case 'D':
		return "double"
	}
	return ""
}
