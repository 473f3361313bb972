// Package otlp speaks OpenTelemetry's protocol for spans over HTTP (OTLP 1.x,
// /v1/traces): it takes what others send, as protobuf or JSON, and sends spans on to
// others. What comes from outside is bounded in every way (Limits), and what was cut or
// refused is told to the sender and counted.
//
// The messages are those of opentelemetry-proto 1.x, collector/trace/v1 and trace/v1.
package otlp
