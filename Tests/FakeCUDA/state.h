// What the files of the fake share.
#pragma once
#define _GNU_SOURCE // open_memstream
#include "entries.h"
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A kernel launch as the driver saw it.
typedef struct {
    char kernel[64];
    unsigned int shape[12]; // as fake_launch_shape tells it
    size_t parameterByteCounts[32];
    size_t parameterCount;
    unsigned char parameters[32][256];
} fake_launch;

typedef enum { CONTEXT, MEMORY, PINNED, STREAM, EVENT, MODULE, FUNCTION, GRAPH, GRAPH_EXEC, PROGRAM } kind;

// Work in a graph, or done at once outside of one.
typedef struct operation {
    enum { COPY, FILL, LAUNCH } what;
    void *destination;
    const void *source;
    unsigned char value;
    size_t byteCount;
    int launch;
    struct operation *next;
} operation;

// Anything that has a handle. Dead ones are kept until the reset, so that their use is noticed.
typedef struct object {
    kind kind;
    bool isAlive;
    struct object *context;
    struct object *next;
    int device, retainCount;                     // CONTEXT
    void *bytes;                                 // MEMORY, PINNED
    size_t byteCount;                            // MEMORY, PINNED
    struct object *graph;                        // STREAM that is captured
    pthread_t thread;                            // STREAM that is captured
    bool isInvalidated;                          // STREAM that is captured
    bool isRecorded, isTimed;                    // EVENT
    long long time;                              // EVENT
    char *text;                                  // MODULE: the image; PROGRAM: the source
    char *image, *log;                           // PROGRAM
    struct object *module;                       // FUNCTION
    char name[64];                               // FUNCTION
    size_t parameterByteCounts[32];              // FUNCTION
    size_t parameterCount;                       // FUNCTION
    bool isLoaded;                               // FUNCTION
    int dynamicSharedByteCount;                  // FUNCTION
    operation *first, *last;                     // GRAPH, GRAPH_EXEC
    size_t operationCount;                       // GRAPH
} object;

typedef struct {
    pthread_mutex_t mutex;
    object *objects;
    bool isInitialized;
    int callCount, failingCall, lastFailingCall, failingCode;
    char calls[4096][48];
    char misuse[256];
    int driverVersion, compilerMajor, compilerMinor;
    int deviceCount, major, minor;
    int memoryClockRate, memoryBusWidth;
    size_t memoryByteCount, usedByteCount;
    long long clock;
    void (*kernel)(int launch);
    fake_launch *launches;
    int launchCount;
} state;

extern state fake;

// Counts a call; the code with which it has to fail, or 0. The lock is held until `fake_unlock`.
int fake_enter(const char *name);
void fake_unlock(const int *result);
// Notes what must never be done.
void fake_blame(const char *call, const char *what);

object *fake_make(kind kind, object * context);
// The live object of a handle; notes a misuse if it is not one.
object * fake_find(const char *call, const void *handle, kind kind);
// The context that is current on this thread, if it is alive.
object * fake_current(void);
// The stream that this thread is capturing, which forbids many calls.
object * fake_capturing(void);
// The live memory that holds a range of addresses of the device.
bool fake_is_memory(CUdeviceptr address, size_t byteCount);
void fake_perform(const operation *work);

// Begins an entry point: counts it and returns the failure that was ordered.
#define ENTER(type, name)                                                                                              \
    __attribute__((cleanup(fake_unlock))) const int ordered = fake_enter(#name);                                       \
    if (ordered != 0) return (type)ordered
// Begins an entry point that gives something back, which happens even if it is to fail.
#define ENTER_RELEASE(name) __attribute__((cleanup(fake_unlock))) const int ordered = fake_enter(#name)
// Refuses a call without a current context, or while this thread captures a stream.
#define NEED_CONTEXT()                                                                                                 \
    object *context = fake_current();                                                                                  \
    if (context == NULL) return CUDA_ERROR_INVALID_CONTEXT
#define REFUSE_IN_CAPTURE()                                                                                            \
    do {                                                                                                               \
        object *capturing = fake_capturing();                                                                          \
        if (capturing != NULL) {                                                                                       \
            capturing->isInvalidated = true;                                                                           \
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;                                                              \
        }                                                                                                              \
    } while (0)
// Finds the object of a handle or refuses the call.
#define FIND(variable, handle, kind)                                                                                   \
    object *variable = fake_find(__func__, handle, kind);                                                              \
    if (variable == NULL) return CUDA_ERROR_INVALID_HANDLE
