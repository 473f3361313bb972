package tx_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

func TestNormaliseSQL(t *testing.T) {
	t.Parallel()
	pg := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, tx.NormaliseSQL(in, tx.DialectPostgreSQL))
	}
	my := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, tx.NormaliseSQL(in, tx.DialectMySQL))
	}
	pg("", "")
	pg("select 1", "select ?")
	pg("SELECT *\n\tFROM orders  WHERE id = 42 -- the answer", "SELECT * FROM orders WHERE id = ?")
	pg("select a from t1 where b=-1.5e+10 and c=0xFF and d=.5", "select a from t1 where b=-? and c=? and d=?")
	pg("select 1-2, x-3", "select ?-?, x-?")
	pg("select * from t where a = 'it''s' and b = E'a\\'b' and c = U&'x' and d = N'y' and e = B'01'", "select * from t where a = ? and b = ? and c = ? and d = ? and e = ?")
	pg(`select 'c:\' , "select" from "T 1"`, `select ?, "select" from "T 1"`)
	pg("select $1::int, $2", "select ?::int, ?")
	pg("select $$it's$$, $fn$ a $$ b $fn$, $x", "select ?, ..., $x")
	pg("select /* outer /* inner */ 'secret' */ 1", "select ?")
	pg("select * from t where id in (1, 2,3 , 4)", "select * from t where id in (?, ...)")
	pg("select * from t where id in ($1,$2) or id in (7)", "select * from t where id in (?, ...) or id in (?)")
	pg("insert into t (a, b) values (1, 'x'), (2, 'y'), (3, null)", "insert into t (a, b) values (?, ...), (?, null)")
	pg("select * from t where doc ?| array['a'] and doc ? 'b'", "select * from t where doc ?| array[?] and doc ? ?")
	pg("select a.b.c from x1y2", "select a.b.c from x1y2")
	pg("update kunde set größe = 'ä' where naïve = 1", "update kunde set größe = ? where naïve = ?")
	pg("select * from t where token = 'cut off in the mid", "select * from t where token = ? ...")
	pg("select * from t where token = $$cut", "select * from t where token = ? ...")
	pg("select \xff", "select \uFFFD")
	my("select \"double\", 'a\\'b' # comment 'x'\n from `or``der` where x = _utf8'y'", "select ?, ... from `or``der` where x = ?")
	my("select /*! STRAIGHT_JOIN */ 1 /* a /* b */ from t", "select ? from t")
	my("call p(@x, 3)", "call p(@x, ?)")
	other := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, tx.NormaliseSQL(in, tx.DialectOther))
	}
	// A backslash may be one: what is a statement either way is hidden from there on.
	my(`select * from t where a = 'it\'s' and b = 2`, "select * from t where a = ? and b = ?")
	my(`select * from t where a = '\' and b = 'secret'`, "select * from t where a = ? and b = ?")
	my(`select '\', 'secret', '\', 'secret' from t`, "select ?, ... from t")
	my(`select 'a\'secret\'c', d from t`, "select ? ...")
	my(`select "\", 'secret', "b" from t`, "select ?, ... from t")
	my(`select "a\" , 'b\'secret', c`, "select ?, ..., c")
	my(`select 'a\\', b from t where c = 'd\\'`, "select ?, b from t where c = ?")
	my(`select 'a\tb', c`, "select ?, c")
	pg(`select 'c:\', b, 'secret'`, "select ?, b, ?")
	pg(`select 'c:\', a, 'd:\', b`, "select ?, a, ?, b")
	pg(`select 'a\'secret\'c', d from t`, "select ? ...")
	pg(`select 'it\'s secret' from t`, "select ? from t")
	my("select '"+strings.Repeat("x", 1000)+`\' and secret`, "select ? ...") // cut off, or not
	// What no database takes is read by none of its quotes.
	pg("select 'a', b from [it's] where c = 'secret'", "select ? ...")
	pg("select a, \"cut", "select a, ? ...")
	pg("select a /* cut", "select a")
	pg("select \"a\n\nb\"", "select \"a  b\"")
	other(`select "secret" from t where a = q'[it's secret]' and b = nq'!x'y!' and q = 1`, "select ? from t where a = ? and b = ? and q = ?")
	other("select q'{secret", "select ? ...")
	pg("select '"+strings.Repeat("x", 100_000)+"'", "select ? ...")
	long := tx.NormaliseSQL("select "+strings.Repeat("abcdefghi, ", 1000), tx.DialectPostgreSQL)
	assert.LessOrEqual(t, len(long), 2010)
	assert.True(t, strings.HasSuffix(long, " ..."))
}

// FuzzNormaliseSQL: whatever a database says, nothing breaks, nothing grows, and what
// is in quotes never comes through. What comes out is valid and short.
func FuzzNormaliseSQL(f *testing.F) {
	for _, s := range []string{
		"select 1", "select 'a''b', \"c\", `d`", "$tag$ x $tag$ $1", "/* /* */ */ -- x\n#y\n1.5e-3 0x1f", "in (1,2,(3)), (4)", "E'\\'", "\xff\x00", "$", "$$", "u&'", `\`, `a\'b`, `\\'`, "q'[",
	} {
		f.Add(s, "7243")
	}
	f.Fuzz(func(t *testing.T, s, secret string) {
		for _, d := range []tx.Dialect{tx.DialectPostgreSQL, tx.DialectMySQL, ""} {
			out := tx.NormaliseSQL(s, d)
			assert.True(t, utf8.ValidString(out), "%q", out)
			assert.LessOrEqual(t, len(out), 2010)
			assert.NotContains(t, out, "\n\n")
		}
		marked := "x7243y" + strings.Map(func(r rune) rune {
			if strings.ContainsRune(`'"\$`, r) || r == utf8.RuneError {
				return -1
			}
			return r
		}, secret)
		for _, d := range []tx.Dialect{tx.DialectPostgreSQL, tx.DialectMySQL} {
			assert.NotContains(t, tx.NormaliseSQL("select '"+marked+"' from t", d), "7243")
			assert.NotContains(t, tx.NormaliseSQL("select '"+marked, d), "7243")
			assert.NotContains(t, tx.NormaliseSQL("select /* "+strings.ReplaceAll(marked, "*", "")+" */ a", d), "7243")
		}
		// By whichever settings a session wrote its strings: what is in them never comes through.
		backslashes, doubled := strings.NewReplacer(`\`, `\\`, "'", `\'`), strings.NewReplacer("'", "''")
		for _, quote := range []*strings.Replacer{backslashes, doubled} {
			first, second := quote.Replace(strings.ReplaceAll(s, "7243", "")), quote.Replace(strings.ReplaceAll(s, "7243", "")+marked)
			for _, d := range []tx.Dialect{tx.DialectPostgreSQL, tx.DialectMySQL, tx.DialectOther} {
				for _, n := range []int{0, 1000} {
					statement := "select '" + first + "', a, '" + second + "', '" + strings.Repeat("x", n) + "' from t"
					assert.NotContains(t, tx.NormaliseSQL(statement, d), "7243", "%s: %s", d, statement)
				}
			}
		}
		assert.NotContains(t, tx.NormaliseSQL("select $q$"+marked+"$q$", tx.DialectPostgreSQL), "7243")
	})
}
