// Memory, streams, events and graphs.
#include "state.h"

CUresult cuMemGetInfo_v2(size_t *freeByteCount, size_t *totalByteCount) {
    ENTER(CUresult, cuMemGetInfo_v2);
    NEED_CONTEXT();
    *freeByteCount = fake.memoryByteCount - fake.usedByteCount;
    *totalByteCount = fake.memoryByteCount;
    return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t byteCount) {
    ENTER(CUresult, cuMemAlloc_v2);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    if (byteCount == 0) return CUDA_ERROR_INVALID_VALUE;
    if (byteCount > fake.memoryByteCount - fake.usedByteCount) return CUDA_ERROR_OUT_OF_MEMORY;
    object *memory = fake_make(MEMORY, context);
    memory->bytes = aligned_alloc(256, (byteCount + 255) / 256 * 256);
    memory->byteCount = byteCount;
    memset(memory->bytes, 0xa5, byteCount);
    fake.usedByteCount += byteCount;
    *address = (CUdeviceptr)memory->bytes;
    return CUDA_SUCCESS;
}

static CUresult give_back(const char *call, const void *address, kind kind) {
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing->kind != kind || !thing->isAlive || thing->bytes != address) continue;
        thing->isAlive = false;
        if (kind == MEMORY) fake.usedByteCount -= thing->byteCount;
        return CUDA_SUCCESS;
    }
    fake_blame(call, "an address that was not allocated, or is given back twice");
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
    ENTER_RELEASE(cuMemFree_v2);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    CUresult result = give_back(__func__, (const void *)address, MEMORY);
    return ordered != 0 ? (CUresult)ordered : result;
}

CUresult cuMemHostAlloc(void **address, size_t byteCount, unsigned int flags) {
    ENTER(CUresult, cuMemHostAlloc);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    if (byteCount == 0 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    object *memory = fake_make(PINNED, context);
    memory->bytes = aligned_alloc(4096, (byteCount + 4095) / 4096 * 4096);
    memory->byteCount = byteCount;
    *address = memory->bytes;
    return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *address) {
    ENTER_RELEASE(cuMemFreeHost);
    NEED_CONTEXT();
    CUresult result = give_back(__func__, address, PINNED);
    return ordered != 0 ? (CUresult)ordered : result;
}

static CUresult queue(object *stream, operation work) {
    if (stream->graph == NULL) {
        fake_perform(&work);
        return CUDA_SUCCESS;
    }
    operation *node = malloc(sizeof *node);
    *node = work;
    node->next = NULL;
    object *graph = stream->graph;
    *(graph->last == NULL ? &graph->first : &graph->last->next) = node;
    graph->last = node;
    graph->operationCount += 1;
    return CUDA_SUCCESS;
}

static CUresult copy(
    const char *call, object *context, void *destination, const void *source, size_t byteCount, bool toDevice,
    bool fromDevice, CUstream handle) {
    object *stream = fake_find(call, handle, STREAM);
    if (stream == NULL) return CUDA_ERROR_INVALID_HANDLE;
    bool isInside = (!toDevice || fake_is_memory((CUdeviceptr)destination, byteCount)) &&
                    (!fromDevice || fake_is_memory((CUdeviceptr)source, byteCount));
    if (!isInside) fake_blame(call, "a copy beyond an allocation");
    if (!isInside || stream->context != context) return CUDA_ERROR_INVALID_VALUE;
    return queue(
        stream, (operation){.what = COPY, .destination = destination, .source = source, .byteCount = byteCount});
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr destination, const void *source, size_t byteCount, CUstream stream) {
    ENTER(CUresult, cuMemcpyHtoDAsync_v2);
    NEED_CONTEXT();
    return copy(__func__, context, (void *)destination, source, byteCount, true, false, stream);
}

CUresult cuMemcpyDtoHAsync_v2(void *destination, CUdeviceptr source, size_t byteCount, CUstream stream) {
    ENTER(CUresult, cuMemcpyDtoHAsync_v2);
    NEED_CONTEXT();
    return copy(__func__, context, destination, (const void *)source, byteCount, false, true, stream);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr destination, CUdeviceptr source, size_t byteCount, CUstream stream) {
    ENTER(CUresult, cuMemcpyDtoDAsync_v2);
    NEED_CONTEXT();
    return copy(__func__, context, (void *)destination, (const void *)source, byteCount, true, true, stream);
}

CUresult cuMemsetD8Async(CUdeviceptr destination, unsigned char value, size_t byteCount, CUstream handle) {
    ENTER(CUresult, cuMemsetD8Async);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    if (!fake_is_memory(destination, byteCount)) fake_blame(__func__, "a fill beyond an allocation");
    if (!fake_is_memory(destination, byteCount) || stream->context != context) return CUDA_ERROR_INVALID_VALUE;
    return queue(
        stream, (operation){.what = FILL, .destination = (void *)destination, .value = value, .byteCount = byteCount});
}

CUresult cuStreamCreate(CUstream *stream, unsigned int flags) {
    ENTER(CUresult, cuStreamCreate);
    NEED_CONTEXT();
    if (flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    *stream = (CUstream)fake_make(STREAM, context);
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream handle) {
    ENTER_RELEASE(cuStreamDestroy_v2);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    stream->isAlive = false;
    if (stream->graph != NULL) fake_blame(__func__, "a stream that is being captured");
    return (CUresult)ordered;
}

CUresult cuStreamSynchronize(CUstream handle) {
    ENTER(CUresult, cuStreamSynchronize);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    if (stream->graph != NULL) stream->isInvalidated = true;
    return stream->graph != NULL ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned int flags) {
    ENTER(CUresult, cuStreamWaitEvent);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    FIND(event, eventHandle, EVENT);
    return flags == 0 && stream->context == event->context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    ENTER(CUresult, cuStreamBeginCapture_v2);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    if (stream->graph != NULL || mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
    stream->graph = fake_make(GRAPH, context);
    stream->thread = pthread_self();
    stream->isInvalidated = false;
    return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
    ENTER_RELEASE(cuStreamEndCapture);
    NEED_CONTEXT();
    FIND(stream, handle, STREAM);
    *graph = NULL;
    if (stream->graph == NULL) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    object *recorded = stream->graph;
    stream->graph = NULL;
    bool isUsable = ordered == 0 && !stream->isInvalidated;
    recorded->isAlive = isUsable;
    if (isUsable) *graph = (CUgraph)recorded;
    if (ordered != 0) return (CUresult)ordered;
    return isUsable ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
}

CUresult cuEventCreate(CUevent *event, unsigned int flags) {
    ENTER(CUresult, cuEventCreate);
    NEED_CONTEXT();
    object *made = fake_make(EVENT, context);
    made->isTimed = (flags & CU_EVENT_DISABLE_TIMING) == 0;
    *event = (CUevent)made;
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent handle) {
    ENTER_RELEASE(cuEventDestroy_v2);
    NEED_CONTEXT();
    FIND(event, handle, EVENT);
    event->isAlive = false;
    return (CUresult)ordered;
}

CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
    ENTER(CUresult, cuEventRecord);
    NEED_CONTEXT();
    FIND(event, handle, EVENT);
    FIND(stream, streamHandle, STREAM);
    if (event->context != stream->context) return CUDA_ERROR_INVALID_HANDLE;
    event->isRecorded = true;
    event->time = fake.clock;
    return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent handle) {
    ENTER(CUresult, cuEventSynchronize);
    NEED_CONTEXT();
    FIND(event, handle, EVENT);
    return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent startHandle, CUevent endHandle) {
    ENTER(CUresult, cuEventElapsedTime);
    FIND(start, startHandle, EVENT);
    FIND(end, endHandle, EVENT);
    if (!start->isRecorded || !end->isRecorded || !start->isTimed || !end->isTimed) return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = (float)(end->time - start->time) / 1e6f;
    return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode *nodes, size_t *count) {
    ENTER(CUresult, cuGraphGetNodes);
    FIND(graph, handle, GRAPH);
    if (nodes != NULL) return CUDA_ERROR_NOT_SUPPORTED;
    *count = graph->operationCount;
    return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph handle, unsigned long long flags) {
    ENTER(CUresult, cuGraphInstantiateWithFlags);
    NEED_CONTEXT();
    FIND(graph, handle, GRAPH);
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    object *made = fake_make(GRAPH_EXEC, context);
    made->first = graph->first; // the graph is given back as a handle, its work lives on here
    graph->first = graph->last = NULL;
    *executable = (CUgraphExec)made;
    return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph handle) {
    ENTER_RELEASE(cuGraphDestroy);
    FIND(graph, handle, GRAPH);
    graph->isAlive = false;
    return (CUresult)ordered;
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
    ENTER_RELEASE(cuGraphExecDestroy);
    FIND(graph, handle, GRAPH_EXEC);
    graph->isAlive = false;
    return (CUresult)ordered;
}

CUresult cuGraphUpload(CUgraphExec handle, CUstream streamHandle) {
    ENTER(CUresult, cuGraphUpload);
    FIND(graph, handle, GRAPH_EXEC);
    FIND(stream, streamHandle, STREAM);
    return stream->context == graph->context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream streamHandle) {
    ENTER(CUresult, cuGraphLaunch);
    FIND(graph, handle, GRAPH_EXEC);
    FIND(stream, streamHandle, STREAM);
    if (stream->context != graph->context) return CUDA_ERROR_INVALID_VALUE;
    for (operation *work = graph->first; work != NULL; work = work->next) fake_perform(work);
    return CUDA_SUCCESS;
}

CUresult fake_queue_launch(CUstream handle, int launch) {
    FIND(stream, handle, STREAM);
    fake.launches[launch].shape[11] = stream->graph != NULL;
    return queue(stream, (operation){.what = LAUNCH, .launch = launch});
}
