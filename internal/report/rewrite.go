package report

import (
	"reflect"
	"strings"
)

// rewritten returns a deep copy of v, a value of the model, with every string passed through f. Lists
// that are never absent in the JSON form are made empty where they were nil. It
// works on the model's types rather than on its fields, so that a new field
// can't be forgotten.
func rewritten[T any](v T, f func(string) string) T {
	return copyValue(reflect.ValueOf(v), f).Interface().(T)
}

// copyValue copies pointers, structs, slices and strings; the model has nothing
// else that refers to memory (a test holds it to that).
func copyValue(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(f(v.String()))
	case reflect.Pointer:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(copyValue(v.Elem(), f))
	case reflect.Slice:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(copyValue(v.Index(i), f))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := copyValue(v.Field(i), f)
			if field.Kind() == reflect.Slice && field.IsNil() && !omits(v.Type().Field(i)) {
				field = reflect.MakeSlice(field.Type(), 0, 0)
			}
			out.Field(i).Set(field)
		}
	default:
		out.Set(v)
	}
	return out
}

// omits tells whether the JSON form leaves the field out when it is nil.
func omits(field reflect.StructField) bool {
	_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	return strings.Contains(options, "omit")
}
