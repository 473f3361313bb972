package finding

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// driverConnection is a JDBC driver's class of connections.
type driverConnection struct {
	class string
	// state are the fields that lead from a connection to a value that tells whether it is
	// open, by the function open.
	state []string
	open  func(value uint64) bool
	// statements is the way, field by field, to the statements that are not closed: a list, or the first
	// of a chain. Empty where the driver keeps none: then statement is the class of those, and
	// owner its field with the connection, null once it is closed or not.
	statements       []string
	statement, owner string
	// caches are the ways, field by field, to caches of prepared statements, and option is
	// what bounds those.
	caches [][]string
	option string
}

const (
	oracleDriver    = "oracle.jdbc.driver."
	oracleStatement = oracleDriver + "OracleStatement"
)

// driverConnections are the drivers that are known.
//
// Sources: pgjdbc 42; MySQL Connector/J 5.1 to 9; MariaDB Connector/J 3; Oracle JDBC 23, by
// the fields of its class files; H2 2; SQLite JDBC 3.46.
func driverConnections() []driverConnection {
	const mysql = "prepStmtCacheSize"
	set := func(value uint64) bool { return value != 0 }
	unset := func(value uint64) bool { return value == 0 }
	one := func(value uint64) bool { return value == 1 }
	never := func(uint64) bool { return false } // a connection is a file: many are no trouble of a database's
	mysqlCaches := [][]string{{"queryInfoCache", "cache"}, {"cachedPreparedStatementParams"}, {"serverSideStatementCache"}, {"serverSideStatementCheckCache"}}
	return []driverConnection{
		{class: "org.postgresql.jdbc.PgConnection", state: []string{"queryExecutor", "closeAction", "pgStream"}, open: set,
			statement: "org.postgresql.jdbc.PgStatement", owner: "connection",
			caches: [][]string{{"queryExecutor", "statementCache"}}, option: "preparedStatementCacheQueries and preparedStatementCacheSizeMiB"},
		{class: "com.mysql.cj.jdbc.ConnectionImpl", state: []string{"session", "isClosed"}, open: unset, statements: []string{"openStatements"}, caches: mysqlCaches, option: mysql},
		{class: "com.mysql.jdbc.ConnectionImpl", state: []string{"isClosed"}, open: unset, statements: []string{"openStatements"}, caches: mysqlCaches, option: mysql},
		{class: "org.mariadb.jdbc.Connection", state: []string{"client", "closed"}, open: unset,
			statement: "org.mariadb.jdbc.Statement", owner: "con",
			caches: [][]string{{"client", "context", "prepareCache"}}, option: mysql},
		{class: oracleDriver + "PhysicalConnection", state: []string{"lifecycle"}, open: one, statements: []string{"statements"},
			caches: [][]string{{"statementCache"}}, option: "the size of its statement cache (setStatementCacheSize)"},
		{class: "org.h2.jdbc.JdbcConnection", state: []string{"session"}, open: set,
			statement: "org.h2.jdbc.JdbcStatement", owner: "conn"},
		{class: "org.sqlite.SQLiteConnection", state: []string{"db"}, open: never, statements: []string{"db", "stmts"}},
	}
}

// follow returns what fields, one after the other, lead to from each object: the last
// one's value. Objects are left out from which no such way leads. Errors: that of ctx.
func (h *Heap) follow(ctx context.Context, objects []heap.ObjID, fields ...string) (map[heap.ObjID]uint64, error) {
	values := make(map[heap.ObjID]uint64, len(objects))
	at := make(map[heap.ObjID][]heap.ObjID, len(objects)) // where the ways are: the objects they began at
	for _, o := range objects {
		at[o] = []heap.ObjID{o}
	}
	for i, name := range fields {
		next := map[heap.ObjID][]heap.ObjID{}
		todo := make([]heap.ObjID, 0, len(at))
		for o := range at {
			todo = append(todo, o)
		}
		err := h.Read(ctx, todo, func(c heap.Content) {
			v, _, ok := h.Field(c, heap.FieldName{Field: name})
			switch target := h.Object(v); {
			case !ok:
			case i == len(fields)-1:
				for _, o := range at[c.Object] {
					values[o] = v
				}
			case target != 0:
				next[target] = append(next[target], at[c.Object]...)
			}
		})
		if err != nil {
			return nil, err
		}
		at = next
	}
	return values, nil
}
