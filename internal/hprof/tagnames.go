package hprof

// Name returns the format's name of a kind of record.
//
// Source: the comments in HotSpot's heapDumper.cpp.
func (t Tag) Name() string {
	switch t {
	case TagUTF8:
		return "UTF8"
	case TagLoadClass:
		return "LOAD_CLASS"
	case TagUnloadClass:
		return "UNLOAD_CLASS"
	case TagFrame:
		return "FRAME"
	case TagTrace:
		return "TRACE"
	case TagAllocSites:
		return "ALLOC_SITES"
	case TagHeapSummary:
		return "HEAP_SUMMARY"
	case TagStartThread:
		return "START_THREAD"
	case TagEndThread:
		return "END_THREAD"
	case TagHeapDump:
		return "HEAP_DUMP"
	case TagCPUSamples:
		return "CPU_SAMPLES"
	case TagControl:
		return "CONTROL_SETTINGS"
	case TagHeapSegment:
		return "HEAP_DUMP_SEGMENT"
	case TagHeapEnd:
		return "HEAP_DUMP_END"
	}
	return "UNKNOWN"
}

// Name returns the format's name of a kind of sub-record.
//
// Source: the comments in HotSpot's heapDumper.cpp; Android's hprof.cc.
func (t SubTag) Name() string {
	switch t {
	case SubRootUnknown:
		return "ROOT_UNKNOWN"
	case SubRootJNIGlobal:
		return "ROOT_JNI_GLOBAL"
	case SubRootJNILocal:
		return "ROOT_JNI_LOCAL"
	case SubRootJavaFrame:
		return "ROOT_JAVA_FRAME"
	case SubRootNativeStack:
		return "ROOT_NATIVE_STACK"
	case SubRootStickyClass:
		return "ROOT_STICKY_CLASS"
	case SubRootThreadBlock:
		return "ROOT_THREAD_BLOCK"
	case SubRootMonitor:
		return "ROOT_MONITOR_USED"
	case SubRootThread:
		return "ROOT_THREAD_OBJECT"
	case SubClassDump:
		return "CLASS_DUMP"
	case SubInstance:
		return "INSTANCE_DUMP"
	case SubObjectArray:
		return "OBJECT_ARRAY_DUMP"
	case SubPrimArray:
		return "PRIMITIVE_ARRAY_DUMP"
	case SubRootInterned:
		return "ROOT_INTERNED_STRING"
	case SubRootFinalizing:
		return "ROOT_FINALIZING"
	case SubRootDebugger:
		return "ROOT_DEBUGGER"
	case SubRootRefCleanup:
		return "ROOT_REFERENCE_CLEANUP"
	case SubRootVMInternal:
		return "ROOT_VM_INTERNAL"
	case SubRootJNIMonitor:
		return "ROOT_JNI_MONITOR"
	case SubUnreachable:
		return "UNREACHABLE"
	case SubPrimArrayNoData:
		return "PRIMITIVE_ARRAY_NODATA"
	case SubHeapInfo:
		return "HEAP_DUMP_INFO"
	}
	return "UNKNOWN"
}
