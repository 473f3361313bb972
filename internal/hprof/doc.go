// Package hprof reads the HPROF binary format: header, records, sub-records.
// It knows the format alone, nothing of graphs.
//
// Source: "HPROF Agent" format description (JDK 8 demo/jvmti/hprof/manual.html)
// and HotSpot's src/hotspot/share/services/heapDumper.cpp.
package hprof
