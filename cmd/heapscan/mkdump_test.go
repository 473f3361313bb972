package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// heldStatements is how many statements the scenario timer-held has.
const heldStatements = 2000

// scenarios are the heaps that scripts can have written, by name.
func scenarios() map[string]func() *hproftest.Dump {
	return map[string]func() *hproftest.Dump{
		"timer-held":     func() *hproftest.Dump { return timerHeld(heldStatements) },
		"timer-held-few": func() *hproftest.Dump { return timerHeld(heldStatements / 2) },
		"healthy":        healthy,
		"hostile":        hostile,
	}
}

// timerHeld is the case of a driver whose cancelled timer tasks keep closed
// statements for as long as the query timeout is.
func timerHeld(statements int) *hproftest.Dump {
	j := hproftest.NewJDK(17, 8)
	statement := j.Class("org.postgresql.jdbc3g.Jdbc3gPreparedStatement", j.Object, hproftest.Ref("sql"), hproftest.Bool("isClosed"))
	task := j.Class("org.postgresql.jdbc2.AbstractJdbc2Statement$1", j.TimerTask, hproftest.Ref("this$0"))
	tasks := []*hproftest.Object{j.Task(task, hproftest.Scheduled, 2_463_000)}
	for i := range statements {
		s := j.New(statement).Set("sql", j.Bytes(make([]byte, 600))).Set("isClosed", true)
		j.Finalizer(s, hproftest.Registered)
		tasks = append(tasks, j.Task(task, hproftest.Cancelled, 2_463_000+int64(i)).Set("this$0", s))
	}
	j.Timer("Timer-0", 4096, tasks...)
	return j.Finish()
}

// healthy is a heap with a timer and Finalizers as any program has them.
func healthy() *hproftest.Dump {
	j := hproftest.NewJDK(21, 8)
	stream := j.Class("java.io.FileInputStream", j.Object, hproftest.Ref("path"))
	held := j.New(stream).Set("path", j.String("/etc/hosts"))
	j.Finalizer(held, hproftest.Registered)
	j.Finalizer(j.New(stream), hproftest.Done)
	j.Class("com.acme.Main", j.Object).Static("input", held)
	task := j.Class("com.acme.Beat", j.TimerTask)
	j.Timer("heart-beat", 128, j.Task(task, hproftest.Scheduled, 1000))
	return j.Finish()
}

// hostile is a heap whose names try to take over the terminal.
func hostile() *hproftest.Dump {
	j := hproftest.NewJDK(17, 4)
	class := j.Class("com.acme.\x1b]0;owned\x07\x1b[2JEvil", j.Object, hproftest.Ref("big"))
	for range 500 {
		j.New(class).Set("big", j.Bytes(make([]byte, 1000)))
	}
	task := j.Class("com.acme.\u202eTask", j.TimerTask)
	j.Timer("thread\r\n\x1b[31m", 128, j.Task(task, hproftest.Scheduled, 1000))
	return j.Finish()
}

// mkdump is the script command "mkdump FILE SCENARIO [BYTES]": it writes a dump,
// compressed where FILE ends in .gz, and cuts BYTES off its end.
func mkdump(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: mkdump FILE SCENARIO [BYTES]")
	}
	build, known := scenarios()[args[1]]
	if !known {
		ts.Fatalf("there is no scenario %q", args[1])
	}
	dump := build().Encode(hproftest.Shape{SegmentBytes: 100_000, Gzip: strings.HasSuffix(args[0], ".gz")})
	if len(args) == 3 {
		cut, err := strconv.Atoi(args[2])
		ts.Check(err)
		dump = dump[:len(dump)-cut]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), dump, 0o600))
}
