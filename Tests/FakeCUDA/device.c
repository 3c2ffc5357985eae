// Versions, errors, devices and contexts.
#include "state.h"

CUresult cuInit(unsigned int flags) {
    ENTER(CUresult, cuInit);
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (fake.deviceCount == 0) return CUDA_ERROR_NO_DEVICE;
    fake.isInitialized = true;
    return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
    ENTER(CUresult, cuDriverGetVersion);
    *version = fake.driverVersion;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult result, const char **name) {
    switch (result) {
    case CUDA_ERROR_INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case CUDA_ERROR_OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case CUDA_ERROR_NO_DEVICE: *name = "CUDA_ERROR_NO_DEVICE"; break;
    case CUDA_ERROR_ILLEGAL_ADDRESS: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; break;
    case CUDA_ERROR_UNKNOWN: *name = "CUDA_ERROR_UNKNOWN"; break;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult result, const char **text) {
    if (result == CUDA_ERROR_UNKNOWN) return CUDA_ERROR_INVALID_VALUE;
    *text = "the words of the fake driver";
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    ENTER(CUresult, cuDeviceGetCount);
    if (!fake.isInitialized) return CUDA_ERROR_NOT_INITIALIZED;
    *count = fake.deviceCount;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int index) {
    ENTER(CUresult, cuDeviceGet);
    if (index < 0 || index >= fake.deviceCount) return CUDA_ERROR_INVALID_DEVICE;
    *device = 10 + index;
    return CUDA_SUCCESS;
}

static bool is_device(CUdevice device) { return device >= 10 && device < 10 + fake.deviceCount; }

CUresult cuDeviceGetName(char *name, int capacity, CUdevice device) {
    ENTER(CUresult, cuDeviceGetName);
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    snprintf(name, (size_t)capacity, "Fake GPU");
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *byteCount, CUdevice device) {
    ENTER(CUresult, cuDeviceTotalMem_v2);
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    *byteCount = fake.memoryByteCount;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    ENTER(CUresult, cuDeviceGetAttribute);
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = fake.major; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = fake.minor; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 232448; break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *value = fake.memoryClockRate; break;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: *value = fake.memoryBusWidth; break;
    default: *value = 1; break;
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    ENTER(CUresult, cuDevicePrimaryCtxRetain);
    if (!is_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    object *found = NULL;
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing->kind == CONTEXT && thing->isAlive && thing->device == device) found = thing;
    }
    if (found == NULL) found = fake_make(CONTEXT, NULL);
    found->device = device;
    found->retainCount += 1;
    *context = (CUcontext)found;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    ENTER_RELEASE(cuDevicePrimaryCtxRelease_v2);
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing->kind != CONTEXT || !thing->isAlive || thing->device != device) continue;
        thing->retainCount -= 1;
        thing->isAlive = thing->retainCount > 0;
        for (object *other = fake.objects; other != NULL && !thing->isAlive; other = other->next) {
            if (other->context == thing && other->isAlive && other->kind != FUNCTION) {
                fake_blame(__func__, "the context goes before what is in it");
            }
        }
        return (CUresult)ordered;
    }
    fake_blame(__func__, "a context that is not in use");
    return CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxSynchronize(void) {
    ENTER(CUresult, cuCtxSynchronize);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    return CUDA_SUCCESS;
}
