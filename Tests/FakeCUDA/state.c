#include "state.h"

state fake = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local object *current;

static void forget(object *thing) {
    for (operation *work = thing->first; work != NULL;) {
        operation *next = work->next;
        free(work);
        work = next;
    }
    free(thing->bytes);
    free(thing->text);
    free(thing->image);
    free(thing->log);
    free(thing);
}

void fake_reset(void) {
    pthread_mutex_lock(&fake.mutex);
    while (fake.objects != NULL) {
        object *next = fake.objects->next;
        forget(fake.objects);
        fake.objects = next;
    }
    free(fake.launches);
    current = NULL;
    memset((char *)&fake + sizeof fake.mutex, 0, sizeof fake - sizeof fake.mutex);
    fake.driverVersion = 13000;
    fake.compilerMajor = 13;
    fake.deviceCount = 1;
    fake.major = 9;
    fake.memoryByteCount = (size_t)1 << 30;
    fake_set_memory(2619000, 5120); // an H100's
    pthread_mutex_unlock(&fake.mutex);
}

__attribute__((constructor)) static void begin(void) { fake_reset(); }

void fake_fail_call(int number, int code, int andLater) {
    fake.failingCall = number;
    fake.lastFailingCall = andLater && number > 0 ? INT_MAX : number;
    fake.failingCode = code;
}

int fake_call_count(void) { return fake.callCount; }

const char *fake_call_name(int number) {
    return number >= 1 && number <= fake.callCount && number <= 4096 ? fake.calls[number - 1] : "";
}

int fake_live_count(void) {
    int count = 0;
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        count += thing->isAlive && thing->kind != FUNCTION; // functions live and die with their module
    }
    return count;
}

const char *fake_misuse(void) { return fake.misuse[0] != 0 ? fake.misuse : NULL; }

void fake_set_driver_version(int version) { fake.driverVersion = version; }

void fake_set_compiler_version(int major, int minor) {
    fake.compilerMajor = major;
    fake.compilerMinor = minor;
}

void fake_set_devices(int count, int major, int minor, size_t memoryByteCount) {
    fake.deviceCount = count;
    fake.major = major;
    fake.minor = minor;
    fake.memoryByteCount = memoryByteCount;
}

void fake_set_memory(int clockRate, int busWidth) {
    fake.memoryClockRate = clockRate;
    fake.memoryBusWidth = busWidth;
}

void fake_set_kernel(void (*kernel)(int launch)) { fake.kernel = kernel; }

int fake_launch_count(void) { return fake.launchCount; }

const char *fake_launch_kernel(int launch) { return fake.launches[launch].kernel; }

void fake_launch_shape(int launch, unsigned int shape[12]) {
    memcpy(shape, fake.launches[launch].shape, sizeof fake.launches[launch].shape);
}

size_t fake_launch_parameter(int launch, int index, unsigned char bytes[256]) {
    const fake_launch *found = &fake.launches[launch];
    if (index < 0 || (size_t)index >= found->parameterCount) return 0;
    memcpy(bytes, found->parameters[index], found->parameterByteCounts[index]);
    return found->parameterByteCounts[index];
}

int fake_enter(const char *name) {
    pthread_mutex_lock(&fake.mutex);
    if (fake.callCount < 4096) strncpy(fake.calls[fake.callCount], name, sizeof fake.calls[0] - 1);
    fake.callCount += 1;
    return fake.callCount >= fake.failingCall && fake.callCount <= fake.lastFailingCall ? fake.failingCode : 0;
}

void fake_unlock(const int *result) {
    (void)result;
    pthread_mutex_unlock(&fake.mutex);
}

void fake_blame(const char *call, const char *what) {
    if (fake.misuse[0] == 0) snprintf(fake.misuse, sizeof fake.misuse, "%s: %s", call, what);
}

object *fake_make(kind kind, object *context) {
    object *thing = calloc(1, sizeof *thing);
    thing->kind = kind;
    thing->isAlive = true;
    thing->context = context;
    thing->next = fake.objects;
    fake.objects = thing;
    return thing;
}

object *fake_find(const char *call, const void *handle, kind kind) {
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing != handle) continue;
        if (thing->kind == kind && thing->isAlive) return thing;
        break;
    }
    fake_blame(call, "a handle that is not one, or no longer");
    return NULL;
}

object *fake_current(void) {
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing == current && thing->isAlive) return thing;
    }
    return NULL;
}

object *fake_capturing(void) {
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        bool isCaptured = thing->kind == STREAM && thing->isAlive && thing->graph != NULL;
        if (isCaptured && pthread_equal(thing->thread, pthread_self())) return thing;
    }
    return NULL;
}

bool fake_is_memory(CUdeviceptr address, size_t byteCount) {
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing->kind != MEMORY || !thing->isAlive) continue;
        CUdeviceptr offset = address - (CUdeviceptr)thing->bytes; // immense before the start
        if (offset <= thing->byteCount && byteCount <= thing->byteCount - offset) return true;
    }
    return false;
}

void fake_perform(const operation *work) {
    fake.clock += 1000;
    switch (work->what) {
    case COPY: memcpy(work->destination, work->source, work->byteCount); break;
    case FILL: memset(work->destination, work->value, work->byteCount); break;
    case LAUNCH:
        if (fake.kernel != NULL) fake.kernel(work->launch);
        break;
    }
}

CUresult cuCtxSetCurrent(CUcontext context) {
    ENTER(CUresult, cuCtxSetCurrent);
    if (context == NULL) {
        current = NULL;
        return CUDA_SUCCESS;
    }
    FIND(found, context, CONTEXT);
    current = found;
    return CUDA_SUCCESS;
}
