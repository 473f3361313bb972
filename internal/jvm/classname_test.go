package jvm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestStableClass(t *testing.T) {
	for name, want := range map[string]string{
		"a.Shop":                                                 "a.Shop",
		"a.Shop$1":                                               "a.Shop$1",
		"a.Shop2":                                                "a.Shop2",
		"a.Shop$$Lambda$14/0x00000008000c1840":                   "a.Shop$$Lambda",
		"a.Shop$$Lambda/0x00007f1c2c001000":                      "a.Shop$$Lambda",
		"a.Shop$$Lambda+0x00007f1c2c001000":                      "a.Shop$$Lambda",
		"a.Shop$$Lambda$14.0x00000008000c1840":                   "a.Shop$$Lambda",
		"a.Shop$$Lambda$14/1023892928":                           "a.Shop$$Lambda",
		"a.Shop$$Lambda/0x00007f1c2c001000[][]":                  "a.Shop$$Lambda[][]",
		"java.lang.invoke.LambdaForm$MH/0x00007f1c2c001000":      "java.lang.invoke.LambdaForm$MH",
		"com.sun.proxy.$Proxy12":                                 "com.sun.proxy.$Proxy",
		"jdk.proxy2.$Proxy40":                                    "jdk.proxy.$Proxy",
		"$Proxy7[]":                                              "$Proxy[]",
		"sun.reflect.GeneratedMethodAccessor7":                   "sun.reflect.GeneratedMethodAccessor",
		"jdk.internal.reflect.GeneratedConstructorAccessor71":    "jdk.internal.reflect.GeneratedConstructorAccessor",
		"sun.reflect.GeneratedSerializationConstructorAccessor1": "sun.reflect.GeneratedSerializationConstructorAccessor",
		"a.Order$HibernateProxy$kX83bQ1s":                        "a.Order$HibernateProxy",
		"a.Order$ByteBuddy$Ab12Cd34":                             "a.Order$ByteBuddy",
		"0x12":                                                   "0x12",
		"":                                                       "",
		"int[]":                                                  "int[]",
		"org.postgresql.jdbc3g.Jdbc3gPreparedStatement":          "org.postgresql.jdbc3g.Jdbc3gPreparedStatement",
		"org.springframework.aop.Shop$$EnhancerBySpringCGLIB$$1a2b": "org.springframework.aop.Shop$$EnhancerBySpringCGLIB$$1a2b",
	} {
		assert.Equal(t, want, jvm.StableClass(name), name)
	}
}
