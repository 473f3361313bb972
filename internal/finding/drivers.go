package finding

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// readDrivers reads the versions of JDBC drivers from their static fields. Errors: that
// of ctx.
//
// Sources: org.postgresql.util.DriverInfo (42.0 and later); org.postgresql.Driver and
// PSQLDriverVersion before; com.mysql.cj.Constants; org.h2.engine.Constants;
// oracle.jdbc.driver.BuildInfo.
func (h *Heap) readDrivers(ctx context.Context) (map[string]string, error) {
	drivers := map[string]string{}
	strings := map[heap.ObjID]string{} // the text's object: what it is the version of
	for _, d := range []struct{ prefix, name, class, field string }{
		{"org.postgresql.", "pgjdbc", "org.postgresql.util.DriverInfo", "DRIVER_VERSION"},
		{"com.mysql.cj.", "MySQL Connector/J", "com.mysql.cj.Constants", "CJ_VERSION"},
		{"org.h2.", "H2", "org.h2.engine.Constants", "VERSION"},
		{"oracle.jdbc.", "Oracle JDBC", "oracle.jdbc.driver.BuildInfo", "DRIVER_VERSION"},
	} {
		if v, ok := h.Static(d.class, d.field); ok && h.Object(v) != 0 {
			strings[h.Object(v)] = d.prefix
			drivers[d.prefix] = d.name
		}
	}
	major, ok := h.Static("org.postgresql.Driver", "MAJORVERSION")
	if _, known := drivers["org.postgresql."]; ok && !known {
		minor, _ := h.Static("org.postgresql.Driver", "MINORVERSION")
		drivers["org.postgresql."] = fmt.Sprintf("pgjdbc %d.%d", int32(major), int32(minor))
		if build, ok := h.Static("org.postgresql.util.PSQLDriverVersion", "buildNumber"); ok {
			drivers["org.postgresql."] += fmt.Sprintf("-%d", int32(build))
		}
	}
	ids := make([]heap.ObjID, 0, len(strings))
	for o := range strings {
		ids = append(ids, o)
	}
	text, err := h.Strings(ctx, ids)
	if err != nil {
		return nil, err
	}
	for o, prefix := range strings {
		drivers[prefix] += " " + clip(cmp.Or(text[o], "of unknown version"), 20)
	}
	return drivers, h.readDriverJars(ctx, drivers)
}

// maxURLs bounds the URLs that are read for the names of jars.
const maxURLs = 10_000

// readDriverJars adds the drivers in use whose fields do not tell their version, by the
// names of the jars on the class paths. Errors: that of ctx.
func (h *Heap) readDriverJars(ctx context.Context, drivers map[string]string) error {
	jars := map[string]*regexp.Regexp{} // by prefix
	for _, d := range []struct{ prefix, class, jar string }{
		{"org.postgresql.", "org.postgresql.jdbc.PgConnection", `postgresql`},
		{"com.mysql.", "com.mysql.jdbc.ConnectionImpl", `mysql-connector-java`},
		{"org.mariadb.jdbc.", "org.mariadb.jdbc.Connection", `mariadb-java-client`},
		{"oracle.jdbc.", oracleDriver + "PhysicalConnection", `ojdbc\d+`},
		{"com.microsoft.sqlserver.", "com.microsoft.sqlserver.jdbc.SQLServerConnection", `mssql-jdbc`},
	} {
		if drivers[d.prefix] == "" && len(h.ClassesNamed(d.class)) > 0 {
			jars[d.prefix] = regexp.MustCompile(`(?:^|[/!])(` + d.jar + `-\d[\w.-]{0,30})\.jar`)
		}
	}
	if len(jars) == 0 {
		return nil
	}
	urls := h.instances("java.net.URL")
	files := map[heap.ObjID]heap.ObjID{} // by URL
	err := h.Read(ctx, urls[:min(len(urls), maxURLs)], func(c heap.Content) {
		v, _, _ := h.Field(c, heap.FieldName{Class: "java.net.URL", Field: "file"})
		files[c.Object] = h.Object(v)
	})
	if err != nil {
		return err
	}
	text, err := h.Strings(ctx, values(files))
	for prefix, jar := range jars {
		for _, file := range text {
			if m := jar.FindStringSubmatch(file); m != nil && (drivers[prefix] == "" || m[1] < drivers[prefix]) {
				drivers[prefix] = m[1]
			}
		}
	}
	return err
}

// driverVersion returns the driver that a class belongs to, with its version; "" where
// that is not known.
func (h *Heap) driverVersion(class string) string {
	for prefix, driver := range h.drivers {
		if strings.HasPrefix(class, prefix) {
			return driver
		}
	}
	return ""
}
