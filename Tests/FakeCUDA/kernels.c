// Modules, kernels and launches.
//
// An image is what the fake compiler makes: "FAKECUBIN", and a line "kernel NAME SIZE..." for each kernel.
#include "state.h"

CUresult fake_queue_launch(CUstream stream, int launch);

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    ENTER(CUresult, cuModuleLoadData);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    if (strncmp(image, "FAKECUBIN", 9) != 0) return CUDA_ERROR_INVALID_IMAGE;
    object *made = fake_make(MODULE, context);
    made->text = strdup(image);
    *module = (CUmodule)made;
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule handle) {
    ENTER_RELEASE(cuModuleUnload);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    FIND(module, handle, MODULE);
    module->isAlive = false;
    for (object *thing = fake.objects; thing != NULL; thing = thing->next) {
        if (thing->kind == FUNCTION && thing->module == module) thing->isAlive = false;
    }
    return (CUresult)ordered;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule handle, const char *name) {
    ENTER(CUresult, cuModuleGetFunction);
    NEED_CONTEXT();
    FIND(module, handle, MODULE);
    char line[80];
    snprintf(line, sizeof line, "\nkernel %s ", name);
    const char *found = strstr(module->text, line);
    if (found == NULL) return CUDA_ERROR_NOT_FOUND;
    object *made = fake_make(FUNCTION, context);
    made->module = module;
    snprintf(made->name, sizeof made->name, "%s", name);
    const char *sizes = found + strlen(line);
    for (char *end; made->parameterCount < 32 && *sizes != '\n'; sizes = end) {
        made->parameterByteCounts[made->parameterCount++] = strtoul(sizes, &end, 10);
        while (*end == ' ') end += 1;
    }
    *function = (CUfunction)made;
    return CUDA_SUCCESS;
}

CUresult cuFuncLoad(CUfunction handle) {
    ENTER(CUresult, cuFuncLoad);
    NEED_CONTEXT();
    REFUSE_IN_CAPTURE();
    FIND(function, handle, FUNCTION);
    function->isLoaded = true;
    return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle) {
    ENTER(CUresult, cuFuncGetAttribute);
    NEED_CONTEXT();
    FIND(function, handle, FUNCTION);
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 768; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = 1024; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 40; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = function->dynamicSharedByteCount; break;
    default: *value = 0; break;
    }
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
    ENTER(CUresult, cuFuncSetAttribute);
    NEED_CONTEXT();
    FIND(function, handle, FUNCTION);
    bool isKnown = attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    if (!isKnown || value < 0 || value > 232448 - 1024) return CUDA_ERROR_INVALID_VALUE;
    function->dynamicSharedByteCount = value;
    return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *byteCount) {
    ENTER(CUresult, cuFuncGetParamInfo);
    FIND(function, handle, FUNCTION);
    if (index >= function->parameterCount) return CUDA_ERROR_INVALID_VALUE;
    *offset = 0;
    for (size_t i = 0; i < index; ++i) *offset += function->parameterByteCounts[i];
    *byteCount = function->parameterByteCounts[index];
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(
    int *blockCount, CUfunction handle, int blockSize, size_t dynamicSharedByteCount) {
    ENTER(CUresult, cuOccupancyMaxActiveBlocksPerMultiprocessor);
    NEED_CONTEXT();
    FIND(function, handle, FUNCTION);
    if (blockSize <= 0 || dynamicSharedByteCount > (size_t)1 << 20) return CUDA_ERROR_INVALID_VALUE;
    *blockCount = 2048 / blockSize;
    return CUDA_SUCCESS;
}

static CUresult read_attributes(const CUlaunchConfig *config, fake_launch *launch) {
    for (unsigned int i = 0; i < config->numAttrs; ++i) {
        CUlaunchAttributeValue value = config->attrs[i].value;
        switch (config->attrs[i].id) {
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
            memcpy(&launch->shape[6], &value.clusterDim, sizeof value.clusterDim);
            break;
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
            launch->shape[10] = value.programmaticStreamSerializationAllowed != 0;
            break;
        default: return CUDA_ERROR_INVALID_VALUE;
        }
    }
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction handle, void **parameters, void **extra) {
    ENTER(CUresult, cuLaunchKernelEx);
    NEED_CONTEXT();
    FIND(function, handle, FUNCTION);
    FIND(stream, config->hStream, STREAM);
    if (function->context != context || stream->context != context) return CUDA_ERROR_INVALID_CONTEXT;
    bool isEmpty = config->gridDimX == 0 || config->gridDimY == 0 || config->gridDimZ == 0 || config->blockDimX == 0 ||
                   config->blockDimY == 0 || config->blockDimZ == 0;
    unsigned int asked = (unsigned int)function->dynamicSharedByteCount;
    unsigned int limit = asked > 0 ? asked : 47 << 10;
    if (isEmpty || extra != NULL || config->sharedMemBytes > limit) return CUDA_ERROR_INVALID_VALUE;
    if (!function->isLoaded && stream->graph != NULL) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    fake.launches = realloc(fake.launches, sizeof *fake.launches * (size_t)(fake.launchCount + 1));
    fake_launch *launch = &fake.launches[fake.launchCount];
    memset(launch, 0, sizeof *launch);
    snprintf(launch->kernel, sizeof launch->kernel, "%s", function->name);
    memcpy(launch->shape, config, 6 * sizeof config->gridDimX); // grid and block come first
    launch->shape[9] = config->sharedMemBytes;
    CUresult result = read_attributes(config, launch);
    if (result != CUDA_SUCCESS) return result;
    launch->parameterCount = function->parameterCount;
    for (size_t i = 0; i < function->parameterCount; ++i) {
        launch->parameterByteCounts[i] = function->parameterByteCounts[i];
        memcpy(launch->parameters[i], parameters[i], function->parameterByteCounts[i]);
    }
    fake.launchCount += 1;
    return fake_queue_launch(config->hStream, fake.launchCount - 1);
}
