package jmx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// request is one item of a bulk. Attributes always travel as an array: with a
// single name as a string the answer would have another shape.
type request struct {
	Type      string   `json:"type"`
	MBean     string   `json:"mbean"`
	Attribute []string `json:"attribute,omitempty"`
	Operation string   `json:"operation,omitempty"`
	Arguments []any    `json:"arguments,omitempty"`
	// Path picks a part of the answer.
	Path   string `json:"path,omitempty"`
	Config config `json:"config"`
}

// config are the processing parameters of an item, for the agent.
type config struct {
	IgnoreErrors      string `json:"ignoreErrors,omitempty"`
	IncludeRequest    string `json:"includeRequest,omitempty"`
	IncludeStackTrace string `json:"includeStackTrace,omitempty"`
}

// readConfig has a failing attribute reported in its place instead of losing its
// neighbours, and spares the echo of the request (2.1 and later; others ignore
// it).
func readConfig() config { return config{IgnoreErrors: "true", IncludeRequest: "false"} }

// execConfig keeps stack traces out of errors (1.x sends them by default).
func execConfig() config { return config{IncludeRequest: "false", IncludeStackTrace: "false"} }

func read(mbean string, attributes ...string) request {
	return request{Type: "read", MBean: mbean, Attribute: attributes, Config: readConfig()}
}

// encode renders the items as a bulk. They are our own constants and a checked
// path: they always encode.
func encode(items []request) (bulk, error) {
	body, err := json.Marshal(items)
	if err != nil {
		return bulk{}, fmt.Errorf("encode the request: %w", err)
	}
	acts := func(r request) bool { return r.Type != "read" && r.Type != "version" }
	return bulk{body, !slices.ContainsFunc(items, acts)}, nil
}

// reply is the answer to one item. The value belongs to the parser of its bulk.
type reply struct {
	// status is Jolokia's: 200 for an answer.
	status int
	value  value
	// err is the agent's word where status is not 200, errType the name of the
	// Java exception behind it.
	err, errType string
	// resting is true for an item that was not asked.
	resting bool
}

// absent tells an answer that the MBean or its attributes do not exist. 1.x says
// 400 for a pattern that matches MBeans without the attributes.
func (r reply) absent() bool {
	return r.status == 404 || r.status == 400 || strings.HasSuffix(r.errType, "InstanceNotFoundException")
}

// errRejected is a bulk that the agent refused as a whole, without saying for
// which item: 2.x by HTTP status 400, 1.x by one object instead of an array.
var errRejected = errors.New("the agent refused the whole bulk")

// parseBulk reads the answer to a bulk of n items. Items are matched by index:
// what an agent echoes of the request differs between versions.
func parseBulk(parser *fastjson.Parser, body []byte, n int) ([]reply, error) {
	if values := mostValues(body); values > maxValues(len(body)) {
		return nil, &Error{ReasonTooLarge, fmt.Errorf("the agent's answer of %d bytes has up to %d values, more than %d", len(body), values, maxValues(len(body)))}
	}
	root, err := parser.ParseBytes(body)
	if err != nil {
		return nil, &Error{parseReason(body), fmt.Errorf("the agent's answer of %d bytes is no JSON: %s", len(body), clip(err.Error()))}
	}
	return bulkReplies(nil, value{json: root}, n)
}

// maxValues bounds the values of an answer of n bytes: each takes some hundred bytes when
// it is parsed. Lists of threads' ids, the densest answers that agents give, are of some
// thousands; stacks have a value in twenty bytes.
func maxValues(n int) int { return 50_000 + n/16 }

// mostValues is how many values a JSON text has at most: what stands in its strings may
// look like more.
func mostValues(text []byte) int {
	return 1 + bytes.Count(text, []byte{','}) + bytes.Count(text, []byte{'['}) + bytes.Count(text, []byte{'{'})
}

// bulkReplies is parseBulk for a parsed answer, with memory for the replies, if any.
func bulkReplies(memory []reply, root value, n int) ([]reply, error) {
	switch root.kind() {
	case fastjson.TypeArray:
		if root.elements() != n {
			return nil, &Error{ReasonDecode, fmt.Errorf("the agent answered %d items where %d were asked", root.elements(), n)}
		}
		replies := slices.Grow(memory[:0], n)
		for i := range n {
			replies = append(replies, parseItem(root.at(i)))
		}
		return replies, nil
	case fastjson.TypeObject:
		one := parseItem(root)
		if one.status == 403 {
			hint := ""
			if strings.Contains(one.err, "is not allowed to call this agent") {
				hint = "; it takes requests of the origins alone that its policy names (cors, strict-checking): " +
					"name the address of the target's URL there, or give a URL whose address it names, such as that of localhost"
			}
			return nil, &Error{ReasonDenied, fmt.Errorf("the agent's policy denies access: %s%s", one.err, hint)}
		}
		return nil, fmt.Errorf("%w: %s", errRejected, one.err)
	}
	return nil, &Error{ReasonDecode, fmt.Errorf("the agent answered a JSON %s where a list was asked", root.kind())}
}

// parseReason tells an answer cut short from one that never was JSON, such as a
// login page.
func parseReason(body []byte) string {
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && (text[0] == '[' || text[0] == '{') {
		return ReasonTruncated
	}
	return ReasonDecode
}

func parseItem(item value) reply {
	status, _ := item.get("status").int64()
	r := reply{status: int(status), value: item.get("value")}
	if r.status != 200 || !r.value.exists() {
		r.err = clip(item.get("error").text())
		r.errType = item.get("error_type").text()
		if r.err == "" {
			r.err = fmt.Sprintf("status %d without a word", r.status)
		}
	}
	return r
}
