package jmx

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// slowTier is what changes slowly or costs the JVM more.
func slowTier() []item[jvm.Details] {
	return []item[jvm.Details]{
		{read("java.lang:type=Runtime", "Name", "VmName", "VmVendor", "VmVersion"), false, decodeVM},
		{read("java.lang:type=ClassLoading", "LoadedClassCount", "TotalLoadedClassCount", "UnloadedClassCount"), false, decodeClasses},
		{read("java.lang:type=Compilation", "TotalCompilationTime"), false, decodeCompilation},
		{read("java.lang:type=Memory", "TotalGcCpuTime"), true, decodeGCCPU},
		{read("java.lang:type=MemoryPool,*", "Name", "Type", "PeakUsage"), false, decodePeaks},
		{read("java.nio:type=BufferPool,*", "Name", "Count", "MemoryUsed", "TotalCapacity"), false, decodeBuffers},
		{read("java.lang:type=OperatingSystem", "AvailableProcessors", "MaxFileDescriptorCount", "ProcessCpuLoad", "SystemCpuLoad"), false, decodeOfOS},
		{read("java.lang:type=Threading", "AllThreadIds"), false, decodeThreadIDs},
	}
}

func decodeVM(d *jvm.Details, v value) {
	d.VM = &jvm.VM{
		Name:    text(v, "VmName"),
		Vendor:  text(v, "VmVendor"),
		Version: javaVersion(text(v, "VmVersion")),
		Process: text(v, "Name"),
	}
}

// hotspot8 is the version of HotSpot in JDK 8: 25, and the JDK's update and build (hotspot/make/hotspot_version).
var hotspot8 = regexp.MustCompile(`^25\.(\d+)-b(\d+)`)

// javaVersion returns a virtual machine's version as that of its JDK, with which it has been counted
// since JDK 9: who reads 25.504-b01 takes it for JDK 25.
func javaVersion(vm string) string { return hotspot8.ReplaceAllString(vm, "1.8.0_$1-b$2") }

func decodeClasses(d *jvm.Details, v value) {
	d.Classes = &jvm.Classes{
		Loaded:        count(v, "LoadedClassCount"),
		LoadedTotal:   count(v, "TotalLoadedClassCount"),
		UnloadedTotal: count(v, "UnloadedClassCount"),
	}
}

func decodeCompilation(d *jvm.Details, v value) {
	d.CompilationMs = count(v, "TotalCompilationTime")
}

func decodeGCCPU(d *jvm.Details, v value) { d.GCCPUTimeNs = count(v, "TotalGcCpuTime") }

func decodePeaks(d *jvm.Details, v value) {
	eachBean(v, func(_ []byte, bean value) {
		if pool, ok := poolOf(bean); ok {
			d.Peaks = append(d.Peaks, jvm.Peak{Pool: pool, UsedBytes: usage(bean.get("PeakUsage")).Used})
		}
	})
	slices.SortFunc(d.Peaks, func(a, b jvm.Peak) int { return cmp.Compare(a.Pool.Name, b.Pool.Name) })
}

func decodeBuffers(d *jvm.Details, v value) {
	eachBean(v, func(_ []byte, bean value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		d.Buffers = append(d.Buffers, jvm.BufferPool{
			Name:          name,
			Count:         count(bean, "Count"),
			UsedBytes:     count(bean, "MemoryUsed"),
			CapacityBytes: count(bean, "TotalCapacity"),
		})
	})
	slices.SortFunc(d.Buffers, func(a, b jvm.BufferPool) int { return cmp.Compare(a.Name, b.Name) })
}

// MaxDirectMemory asks how much memory direct buffers may take, in bytes; 0 is as much as
// the heap. It does not change while the JVM runs. JVMs of other vendors give an error that
// is ErrUnsupported.
//
// Source: java.nio.Bits and jdk.internal.misc.VM.saveProperties; -XX:MaxDirectMemorySize.
func (c *Client) MaxDirectMemory(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	call := run(opVMOption(), "MaxDirectMemorySize")
	call.Path = "value"
	out, _, err := c.exec(ctx, call)
	if err != nil {
		return 0, fmt.Errorf("limit of direct memory: %w", err)
	}
	limit, err := strconv.ParseInt(out, 10, 64)
	if err != nil || limit < 0 {
		return 0, &Error{ReasonOperation, fmt.Errorf("limit of direct memory: %w: %q is no number of bytes", ErrUnsupported, clip(out))}
	}
	return limit, nil
}

// decodeOfOS has the loads among it: for each of them the JVM reads several files of the
// system, and what it gives is over the time since it was last asked.
func decodeOfOS(d *jvm.Details, v value) {
	d.Processors = count(v, "AvailableProcessors")
	d.MaxFiles = count(v, "MaxFileDescriptorCount")
	d.ProcessLoad, d.SystemLoad = load(v, "ProcessCpuLoad"), load(v, "SystemCpuLoad")
}

func decodeThreadIDs(d *jvm.Details, v value) {
	ids := v.get("AllThreadIds")
	for i := range ids.elements() {
		if n, ok := ids.at(i).int64(); ok && n > 0 {
			d.ThreadIDs = append(d.ThreadIDs, n)
		}
	}
}
