package report

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// describedOnce says under which name a type's fields are described where the type
// has a description of its own.
func describedOnce() map[reflect.Type]string {
	return map[reflect.Type]string{
		reflect.TypeFor[ObjectName]():   "",
		reflect.TypeFor[Reference]():    "",
		reflect.TypeFor[Referrers]():    "",
		reflect.TypeFor[ReferrerKind](): "kinds[]",
		reflect.TypeFor[PathRoot]():     "root",
		reflect.TypeFor[FieldValue]():   "fields[]",
		reflect.TypeFor[Value]():        "fields[]",
		reflect.TypeFor[DominatorRow](): "dominators[]",
		reflect.TypeFor[Local]():        "threads[].frames[].locals[]",
		reflect.TypeFor[ThreadFrame]():  "threads[].frames[]",
		reflect.TypeFor[Referrer]():     "first[]",
	}
}

// answerFields calls visit with the name of every field of an answer.
func answerFields(ty reflect.Type, at string, visit func(path string)) {
	if once, ok := describedOnce()[ty]; ok {
		at = once
	}
	for field := range ty.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		path := strings.TrimPrefix(at+"."+name, ".")
		if field.Anonymous {
			path = at
		}
		inner, list := field.Type, ""
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			if inner.Kind() == reflect.Slice {
				list = "[]"
			}
			inner = inner.Elem()
		}
		if !field.Anonymous {
			visit(path + list)
		}
		switch inner {
		case reflect.TypeFor[Dump](), reflect.TypeFor[Tool](), reflect.TypeFor[Warning](), reflect.TypeFor[Heap]():
		default:
			if inner.Kind() == reflect.Struct {
				answerFields(inner, path+list, visit)
			}
		}
	}
}

func TestDocumentationNamesEveryFieldOfAnAnswer(t *testing.T) {
	text, err := os.ReadFile("../../docs/answers-schema.md")
	require.NoError(t, err)
	for _, ty := range []reflect.Type{
		reflect.TypeFor[Dominators](), reflect.TypeFor[ObjectPath](), reflect.TypeFor[Inspection](), reflect.TypeFor[Threads](),
	} {
		answerFields(ty, "", func(path string) {
			assert.Contains(t, string(text), "| `"+path+"` |", "%s", ty)
		})
	}
}
