package otlp

import (
	"encoding/json"
	"strconv"

	"github.com/VictoriaMetrics/easyproto"
)

// contentProtobuf and contentJSON are the two encodings.
const (
	contentProtobuf = "application/x-protobuf"
	contentJSON     = "application/json"
)

// partial is an ExportTraceServiceResponse: empty where all was taken.
func partial(content string, rejected int, words string) []byte {
	if content == contentJSON {
		type partialSuccess struct {
			RejectedSpans string `json:"rejectedSpans,omitempty"`
			ErrorMessage  string `json:"errorMessage,omitempty"`
		}
		var answer struct {
			PartialSuccess *partialSuccess `json:"partialSuccess,omitempty"`
		}
		if words != "" {
			answer.PartialSuccess = &partialSuccess{ErrorMessage: words}
			if rejected > 0 {
				answer.PartialSuccess.RejectedSpans = strconv.Itoa(rejected)
			}
		}
		body, _ := json.Marshal(answer) // strings alone: never fails
		return body
	}
	var m easyproto.Marshaler
	response := m.MessageMarshaler()
	if words != "" {
		p := response.AppendMessage(1)
		if rejected > 0 {
			p.AppendInt64(1, int64(rejected))
		}
		p.AppendString(2, words)
	}
	return m.Marshal(nil)
}

// failure is a google.rpc.Status with the words alone, as OTLP asks for with statuses of
// 400 and more.
func failure(content, words string) []byte {
	if content == contentJSON {
		body, _ := json.Marshal(map[string]string{"message": words}) // strings alone: never fails
		return body
	}
	var m easyproto.Marshaler
	m.MessageMarshaler().AppendString(2, words)
	return m.Marshal(nil)
}

// rejection is what a receiver did not take of a request, by its answer in protobuf; an
// answer that is none rejects nothing.
func rejection(body []byte) (spans int64, words string) {
	_ = fields(body, "response", func(f *easyproto.FieldContext) error {
		if f.FieldNum != 1 {
			return nil
		}
		return message(f, "partial_success", func(b []byte) error {
			return fields(b, "partial_success", func(f *easyproto.FieldContext) error {
				switch f.FieldNum {
				case 1:
					spans, _ = f.Int64()
				case 2:
					words, _ = f.String()
				}
				return nil
			})
		})
	})
	return spans, words
}
