package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// driverScenarios are those of the lab of suspects that need a server; the name says which.
var driverScenarios = []string{
	"mysql-connections", "mysql-statements", "mysql-cache", "mysql-c3p0", "mysql-replaced", "mariadb-connections", "mariadb-statements",
	"postgresql-connections", "postgresql-statements", "postgresql-cache",
	"healthy-mysql", "healthy-mariadb", "healthy-postgresql",
}

// TestDrivers runs programs that use real JDBC drivers and real servers, well or not.
// MariaDB serves MySQL's driver too.
func TestDrivers(t *testing.T) {
	jdk := defaultJDK(t)
	bench := newBench(t)
	urls := map[string]string{}
	maria, err := bench.StartMariaDB(t.Context())
	if err == nil {
		urls["mysql"], urls["mariadb"] = maria.JDBCURL("mysql"), maria.JDBCURL("mariadb")
	} else if !errors.Is(err, harness.ErrNoMariaDB) {
		require.NoError(t, err)
	}
	postgres, err := bench.StartPostgres(t.Context())
	if err == nil {
		urls["postgresql"] = postgres.JDBCURL()
	} else if !errors.Is(err, harness.ErrNoPostgres) {
		require.NoError(t, err)
	}
	jdks := []jdkWith{{jdk, serial}}
	if full() {
		jdks = nil
		for _, j := range findJDKs(t) {
			for _, c := range j.collectors(t) {
				jdks = append(jdks, jdkWith{j, c})
			}
		}
	}
	for _, scenario := range driverScenarios {
		first, second, _ := strings.Cut(scenario, "-")
		url := urls[first]
		if first == "healthy" {
			url = urls[second]
		}
		for _, j := range jdks {
			t.Run(j.jdk.name+"/"+j.collector.name+"/"+scenario, func(t *testing.T) {
				if url == "" {
					t.Skip("the server of " + scenario + " is not installed")
				}
				checkSuspect(t, j.jdk, j.collector, scenario, "LAB_JDBC_URL="+url)
			})
		}
	}
}

// jdkWith is a JDK with one of its collectors.
type jdkWith struct {
	jdk       jdk
	collector collector
}
