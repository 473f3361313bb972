package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/database"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// openRecords opens the records of slow transactions.
func openRecords(env environment, c config.Config) (*ring.Ring, error) {
	records, err := ring.Open(ring.Options{
		Dir:      filepath.Join(c.DataDir, "transactions"),
		MaxBytes: int64(c.Transactions.MaxRecordsBytes),
		Logger:   env.logger(),
	})
	if err != nil {
		return nil, dataDirError(c, err)
	}
	return records, nil
}

// tracing is nil where transactions are not to be followed.
func tracing(c config.Transactions, records *ring.Ring, databases []agent.Database, spans agent.SpanOptions) *agent.TracingOptions {
	if !c.Enabled {
		return nil
	}
	return &agent.TracingOptions{
		Interval:   time.Duration(c.Interval),
		Thresholds: thresholds(c),
		Databases:  databases,
		Records:    records,
		Spans:      spans,
	}
}

// thresholds say what is slow.
func thresholds(c config.Transactions) tx.Thresholds {
	var routes []tx.RouteThreshold
	for pattern, threshold := range c.Routes {
		routes = append(routes, tx.RouteThreshold{Pattern: pattern, Threshold: time.Duration(threshold)})
	}
	return tx.NewThresholds(time.Duration(c.Threshold), routes...)
}

// openDatabases makes the logins to databases; none of them connects before it is
// asked. The function closes them.
func openDatabases(env environment, c config.Config) ([]agent.Database, func() error, error) {
	var servers []agent.Database
	var errs []error
	var opened []*database.Server
	for i, d := range c.Databases {
		server, err := database.New(database.Options{Name: d.Name, URL: d.URL, PasswordFile: d.PasswordFile, Logger: env.logger()})
		if err != nil {
			errs = append(errs, fmt.Errorf("databases[%d] %w", i, err))
			continue
		}
		servers, opened = append(servers, server), append(opened, server)
	}
	closeAll := func() error {
		var errs []error
		for _, server := range opened {
			errs = append(errs, server.Close())
		}
		return errors.Join(errs...)
	}
	return servers, closeAll, errors.Join(errs...)
}

// transactions are those that the agent follows, nil where it follows none: a nil
// pointer in an interface would be none.
func transactions(a *agent.Agent) web.Transactions {
	if t := a.Transactions(); t != nil {
		return t
	}
	return nil
}
