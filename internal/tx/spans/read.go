package spans

import (
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// maxWordBytes bounds names, hosts and the like on record.
const maxWordBytes = 200

// word cuts what is on record of a text from outside.
func word(s string) string {
	if len(s) <= maxWordBytes {
		return s
	}
	end := maxWordBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// pathOf is the path of an HTTP request without its query, "" without one
// (OpenTelemetry's semantic conventions of HTTP spans, stable and before 1.23).
func pathOf(s *otlp.Span) string {
	if path := s.Attributes.Text("url.path", "http.target"); path != "" {
		return word(tx.Path(path))
	}
	if u, err := url.Parse(s.Attributes.Text("url.full", "http.url")); err == nil {
		return word(tx.Path(u.Path))
	}
	return ""
}

// methodOf is the method of a span's request, empty where it does not tell.
func methodOf(s *otlp.Span) string {
	return word(s.Attributes.Text("http.request.method", "http.method"))
}

func kindName(k otlp.Kind) string {
	switch k {
	case otlp.KindServer:
		return "server"
	case otlp.KindClient:
		return "client"
	case otlp.KindProducer:
		return "producer"
	case otlp.KindConsumer:
		return "consumer"
	}
	return "internal"
}

// classOf is what a span waits for, "" for work of the application.
func classOf(s *otlp.Span) tx.Class {
	a := s.Attributes
	if s.Kind != otlp.KindClient && s.Kind != otlp.KindProducer {
		return ""
	}
	switch system := a.Text("db.system.name", "db.system"); {
	case system != "" && isStore(system):
		return tx.ClassStore
	case system != "":
		return tx.ClassSQL
	case a.Text("messaging.system") != "" || s.Kind == otlp.KindProducer:
		return tx.ClassMessaging
	case a.Text("http.request.method", "http.method") != "":
		return tx.ClassHTTP
	}
	return tx.ClassNetwork
}

// isStore tells the database systems that are asked otherwise than in SQL.
func isStore(system string) bool {
	switch system {
	case "redis", "mongodb", "memcached", "cassandra", "elasticsearch", "opensearch", "couchbase", "couchdb", "hbase", "neo4j", "influxdb",
		"geode", "dynamodb", "aws.dynamodb", "cosmosdb", "azure.cosmosdb", "redisearch", "opensearch.aws":
		return true
	}
	return false
}

// statementOf is the SQL of a span without its literals, "" where it has none.
func statementOf(s *otlp.Span, class tx.Class) string {
	if class != tx.ClassSQL {
		return ""
	}
	return tx.NormaliseSQL(s.Attributes.Text("db.query.text", "db.statement"), dialectOf(s.Attributes.Text("db.system.name", "db.system")))
}

// dialectOf is that of a database by its name in OpenTelemetry's semantic conventions, old or
// new.
func dialectOf(system string) tx.Dialect {
	switch system {
	case "mysql", "mariadb":
		return tx.DialectMySQL
	case "postgresql", "cockroachdb", "oracle", "oracle.db", "db2", "ibm.db2", "derby", "h2", "h2database", "hsqldb":
		return tx.DialectPostgreSQL
	}
	return tx.DialectOther
}

// peerOf is the other end of a wait as host:port, or the host alone.
func peerOf(s *otlp.Span, class tx.Class) string {
	if class == "" {
		return ""
	}
	host := s.Attributes.Text("server.address", "net.peer.name", "network.peer.address", "net.sock.peer.addr")
	port := s.Attributes.Text("server.port", "net.peer.port", "network.peer.port", "net.sock.peer.port")
	if host == "" || port == "" || port == "0" {
		return word(host)
	}
	return net.JoinHostPort(word(host), word(port))
}

// failed tells whether a span failed, and by what.
func failed(s *otlp.Span) (bool, string) {
	if s.Status != otlp.StatusError {
		return false, ""
	}
	if kind := s.Attributes.Text("error.type"); kind != "" {
		return true, word(kind)
	}
	for i := range s.Events {
		if s.Events[i].Name == "exception" {
			return true, word(s.Events[i].Attributes.Text("exception.type"))
		}
	}
	return true, ""
}

// read is a span as it is on record; base is the record's start on the sender's clock, in
// nanoseconds.
func read(s *otlp.Span, base int64) tx.Span {
	class := classOf(s)
	out := tx.Span{
		ID: s.ID.String(), Name: word(s.Name), Kind: kindName(s.Kind), FromUs: (s.Start - base) / 1000, ToUs: (s.End - base) / 1000,
		Class: class, SQL: statementOf(s, class), Peer: peerOf(s, class),
		Thread: word(s.Attributes.Text("thread.name")), ThreadID: s.Attributes.Int("thread.id"),
	}
	if s.Parent != (otlp.SpanID{}) {
		out.Parent = s.Parent.String()
	}
	out.Error, out.ErrorType = failed(s)
	if out.SQL != "" && strings.Contains(out.Name, "'") {
		// Agents name a span by its statement's verb and table; some let literals through.
		out.Name = "SQL"
	}
	return out
}
