package jmx

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// poolItems ask for pools of database connections. Reading all attributes of such
// an MBean can open a connection or run a query: these lists are safe.
func poolItems() []item[jvm.Snapshot] {
	return []item[jvm.Snapshot]{
		{read("com.zaxxer.hikari:*", "ActiveConnections", "IdleConnections", "ThreadsAwaitingConnection", "MaximumPoolSize", "MinimumIdle"), true, decodeHikari},
		{read("*:type=ConnectionPool,*", "Active", "Idle", "WaitCount", "MaxActive", "MinIdle", "MaxIdle", "BorrowedCount", "ReturnedCount",
			"CreatedCount", "ReleasedCount", "RemoveAbandonedCount"), true, decodeTomcatJDBC},
		{read("org.apache.commons.pool2:*", "NumActive", "NumIdle", "NumWaiters", "MaxTotal", "MinIdle", "MaxIdle", "BorrowedCount", "ReturnedCount",
			"CreatedCount", "DestroyedCount", "MeanBorrowWaitTimeMillis", "MaxBorrowWaitTimeMillis"), true, decodePool2},
	}
}

// decodeHikari joins the two MBeans of a HikariCP pool: "Pool (NAME)" and
// "PoolConfig (NAME)", or with hikaricp.jmx.register2.0 a key of the name.
func decodeHikari(s *jvm.Snapshot, v value) {
	pools := map[string]*jvm.JDBCPool{}
	eachBean(v, func(key []byte, bean value) {
		keys := objectKeys(key)
		name := keys["name"]
		if _, inner, ok := strings.Cut(keys["type"], " ("); ok {
			name = strings.TrimSuffix(inner, ")")
		}
		p := pools[name]
		if p == nil {
			p = &jvm.JDBCPool{Kind: "hikari", Name: name}
			pools[name] = p
		}
		if count(bean, "ActiveConnections").Known() {
			p.Used, p.Idle = count(bean, "ActiveConnections"), count(bean, "IdleConnections")
			p.Pending = count(bean, "ThreadsAwaitingConnection")
		}
		if count(bean, "MaximumPoolSize").Known() {
			p.Max, p.MinIdle = count(bean, "MaximumPoolSize"), count(bean, "MinimumIdle")
		}
	})
	for _, p := range pools {
		s.Servers.JDBCPools = append(s.Servers.JDBCPools, *p)
	}
	sortJDBCPools(s)
}

// decodeTomcatJDBC has web applications' pools among it, of which several may have one name:
// those have their application's beside it.
func decodeTomcatJDBC(s *jvm.Snapshot, v value) {
	var pools []jvm.JDBCPool
	var owners []string
	named := map[string]int{}
	eachBean(v, func(key []byte, bean value) {
		if !count(bean, "Idle").Known() {
			return
		}
		keys := objectKeys(key)
		name := cmp.Or(keys["name"], keys["class"])
		named[name]++
		owners = append(owners, cmp.Or(keys["host"]+keys["context"], keys["class"]))
		pools = append(pools, jvm.JDBCPool{
			Kind: "tomcat-jdbc", Name: name,
			Used: count(bean, "Active"), Idle: count(bean, "Idle"), Pending: count(bean, "WaitCount"),
			Max: count(bean, "MaxActive"), MinIdle: count(bean, "MinIdle"), MaxIdle: count(bean, "MaxIdle"),
			Borrowed: count(bean, "BorrowedCount"), Returned: count(bean, "ReturnedCount"), Created: count(bean, "CreatedCount"),
			Destroyed: count(bean, "ReleasedCount"), Dropped: count(bean, "RemoveAbandonedCount"),
		})
	})
	for i := range pools {
		if named[pools[i].Name] > 1 {
			pools[i].Name += " (" + owners[i] + ")"
		}
	}
	s.Servers.JDBCPools = append(s.Servers.JDBCPools, pools...)
	sortJDBCPools(s)
}

func decodePool2(s *jvm.Snapshot, v value) {
	eachBean(v, func(key []byte, bean value) {
		if !count(bean, "NumActive").Known() {
			return
		}
		s.Servers.JDBCPools = append(s.Servers.JDBCPools, jvm.JDBCPool{
			Kind: "dbcp2", Name: objectKeys(key)["name"],
			Used: count(bean, "NumActive"), Idle: count(bean, "NumIdle"), Pending: count(bean, "NumWaiters"),
			Max: count(bean, "MaxTotal"), MinIdle: count(bean, "MinIdle"), MaxIdle: count(bean, "MaxIdle"),
			Borrowed: count(bean, "BorrowedCount"), Returned: count(bean, "ReturnedCount"), Created: count(bean, "CreatedCount"),
			Destroyed: count(bean, "DestroyedCount"), BorrowMeanMs: count(bean, "MeanBorrowWaitTimeMillis"), BorrowMaxMs: count(bean, "MaxBorrowWaitTimeMillis"),
		})
	})
	sortJDBCPools(s)
}

func sortJDBCPools(s *jvm.Snapshot) {
	slices.SortFunc(s.Servers.JDBCPools, func(a, b jvm.JDBCPool) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
