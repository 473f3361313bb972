package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// silencePath is what has the JVMs of a stage answer nobody any more.
const silencePath = "/silence"

// stage plays everything around the sidecar, in a process of its own so that its
// cost is not counted: JVMs below /, a receiver of remote write at /api/v1/write, and
// at /stats what they have seen. It prints its address and ends with ctx.
func stage(ctx context.Context, s settings) error {
	fleet, err := newJVMs(s.testdata, s.targets, s.interval, newWorkers(s.workers, s.busy))
	if err != nil {
		return err
	}
	receive, err := newReceiver()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", fleet)
	mux.Handle("POST /api/v1/write", receive)
	mux.HandleFunc("GET "+silencePath, func(http.ResponseWriter, *http.Request) { fleet.silent.Store(true) })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		seen := receive.stats()
		seen.Polls = fleet.polls.Load()
		_ = json.NewEncoder(w).Encode(seen) // whoever hung up needs no answer
	})
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("stage=%s\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}
