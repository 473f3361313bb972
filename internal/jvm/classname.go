package jvm

import "strings"

// StableClass is the name of a class without what differs from one run of a JVM to the next,
// for it is to be a label: the address of a hidden class, the number of a lambda, of a proxy
// and of an accessor that reflection made, the random end of what Byte Buddy made. Sources:
// InnerClassLambdaMetafactory, ProxyGenerator and MethodAccessorGenerator of JDK 8 to 25;
// NamingStrategy.SuffixingRandom of Byte Buddy.
func StableClass(name string) string {
	name, array := strings.CutSuffix(name, "[]")
	if array {
		return StableClass(name) + "[]"
	}
	if i := strings.LastIndexAny(name, "/+."); i > 0 && strings.HasPrefix(name[i+1:], "0x") {
		name = name[:i]
	}
	for _, random := range []string{"$$Lambda$", "$HibernateProxy$", "$ByteBuddy$"} {
		if i := strings.LastIndex(name, random); i >= 0 {
			return name[:i+len(random)-1]
		}
	}
	bare := strings.TrimRight(name, "0123456789")
	switch {
	case strings.HasPrefix(bare, "jdk.proxy") && strings.HasSuffix(bare, ".$Proxy"):
		return "jdk.proxy.$Proxy"
	case strings.HasSuffix(bare, "$Proxy"), strings.HasSuffix(bare, ".GeneratedMethodAccessor"),
		strings.HasSuffix(bare, ".GeneratedConstructorAccessor"), strings.HasSuffix(bare, ".GeneratedSerializationConstructorAccessor"):
		return bare
	}
	return name
}
