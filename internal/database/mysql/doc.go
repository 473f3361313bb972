// Package mysql speaks the protocol of MySQL and MariaDB as far as a few questions to
// their system tables need it: log in, ask in text, read what comes within limits. What
// the server sends is not trusted.
//
// Source: MySQL's internals, "Client/Server Protocol"; MariaDB's "Clientserver protocol".
package mysql
