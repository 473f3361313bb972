package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const schemaPath = "../../docs/report.schema.json"

// node is the part of JSON Schema that ours is written in.
type node struct {
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Properties  map[string]node `json:"properties"`
	Required    []string        `json:"required"`
	Items       *node           `json:"items"`
	Defs        map[string]node `json:"$defs"`
}

// resolve follows a reference into the definitions.
func (n node) resolve(t *testing.T, defs map[string]node) node {
	t.Helper()
	if n.Ref == "" {
		return n
	}
	name := strings.TrimPrefix(n.Ref, "#/$defs/")
	require.Contains(t, defs, name)
	return defs[name]
}

// compareSchema holds a schema's node to the Go type it describes.
func compareSchema(t *testing.T, at string, n node, defs map[string]node, ty reflect.Type) {
	t.Helper()
	n = n.resolve(t, defs)
	switch ty.Kind() {
	case reflect.Pointer:
		compareSchema(t, at, n, defs, ty.Elem())
	case reflect.Slice:
		require.NotNil(t, n.Items, "%s is a list", at)
		compareSchema(t, at+"[]", *n.Items, defs, ty.Elem())
	case reflect.Struct:
		var names, required []string
		for field := range ty.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
			if !omits(field) {
				required = append(required, name)
			}
			property, known := n.Properties[name]
			if !known {
				t.Errorf("%s.%s is in the model, not in %s", at, name, schemaPath)
				continue
			}
			assert.NotEmpty(t, property.Description+property.resolve(t, defs).Description, "%s.%s has no description", at, name)
			compareSchema(t, at+"."+name, property, defs, field.Type)
		}
		for name := range n.Properties {
			assert.Contains(t, names, name, "%s.%s is in the schema, not in the model", at, name)
		}
		assert.ElementsMatch(t, required, n.Required, "the fields of %s that are always there", at)
	}
}

func TestSchemaDescribesTheModel(t *testing.T) {
	text, err := os.ReadFile(schemaPath)
	require.NoError(t, err)
	var schema node
	require.NoError(t, json.Unmarshal(text, &schema))
	compareSchema(t, "report", schema, schema.Defs, reflect.TypeFor[Report]())
}

// The steps of a path and the states of a class are described once.
func TestDocumentationNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("../../docs/report-schema.md")
	require.NoError(t, err)
	walkModel(t, reflect.TypeFor[Report](), "", func(path string, ty reflect.Type) {
		if ty.Kind() == reflect.Slice {
			path += "[]"
		}
		if strings.HasPrefix(path, "findings[].evidence.path.") || strings.HasPrefix(path, "finalizers.classes[].states.") ||
			strings.HasPrefix(path, "cleaners.states.") || strings.HasPrefix(path, "cleaners.classes[].states.") {
			return
		}
		assert.True(t, bytes.Contains(text, []byte("| `"+path+"` |")), "%s is not in docs/report-schema.md", path)
	})
}

func TestGoldensFollowTheSchema(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemaPath)
	require.NoError(t, err)
	goldens, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, goldens)
	for _, path := range goldens {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, err := os.Open(path)
			require.NoError(t, err)
			defer file.Close()
			value, err := jsonschema.UnmarshalJSON(file)
			require.NoError(t, err)
			assert.NoError(t, schema.Validate(value))
		})
	}
}
