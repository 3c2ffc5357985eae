// The part of the CUDA driver's binary interface that Nibble uses.
//
// The library is opened at run time, so this declares types, and for each entry point the type of a pointer to it:
// `<exported name>_fn`. Exported names carry the version suffixes that NVIDIA's own header hides behind macros. Values
// and layouts are those of the CUDA Driver API reference, 12.4 and later; layout.c checks the sizes.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUgraphNode_st *CUgraphNode;

// The results that Nibble tells apart; every other one is named by cuGetErrorName.
typedef enum CUresult {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_STUB_LIBRARY = 34,
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_ECC_UNCORRECTABLE = 214,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_ASSERT = 710,
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
    CUDA_ERROR_INVALID_PC = 718,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_SYSTEM_NOT_READY = 802,
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905,
    CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD = 908,
    CUDA_ERROR_UNKNOWN = 999,
} CUresult;

typedef enum CUdevice_attribute {
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR = 39,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
} CUdevice_attribute;

typedef enum CUfunction_attribute {
    CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
    CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
    CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
    CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14,
} CUfunction_attribute;

enum { CU_STREAM_NON_BLOCKING = 1 };
enum { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };

typedef enum CUstreamCaptureMode {
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
    CU_STREAM_CAPTURE_MODE_RELAXED = 2,
} CUstreamCaptureMode;

typedef enum CUlaunchAttributeID {
    CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2,
    CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4,
    CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6,
} CUlaunchAttributeID;

typedef struct CUclusterDimension {
    unsigned int x, y, z;
} CUclusterDimension;

typedef union CUlaunchAttributeValue {
    char bytes[64];
    int cooperative;
    CUclusterDimension clusterDim;
    int programmaticStreamSerializationAllowed;
} CUlaunchAttributeValue;

typedef struct CUlaunchAttribute {
    CUlaunchAttributeID id;
    char padding[4];
    CUlaunchAttributeValue value;
} CUlaunchAttribute;

typedef struct CUlaunchConfig {
    unsigned int gridDimX, gridDimY, gridDimZ;
    unsigned int blockDimX, blockDimY, blockDimZ;
    unsigned int sharedMemBytes;
    CUstream hStream;
    CUlaunchAttribute *_Nullable attrs;
    unsigned int numAttrs;
} CUlaunchConfig;

typedef CUresult (*cuInit_fn)(unsigned int flags);
typedef CUresult (*cuDriverGetVersion_fn)(int *version);
typedef CUresult (*cuGetErrorName_fn)(CUresult result, const char *_Nullable *_Nonnull name);
typedef CUresult (*cuGetErrorString_fn)(CUresult result, const char *_Nullable *_Nonnull text);

typedef CUresult (*cuDeviceGetCount_fn)(int *count);
typedef CUresult (*cuDeviceGet_fn)(CUdevice *device, int index);
typedef CUresult (*cuDeviceGetName_fn)(char *name, int capacity, CUdevice device);
typedef CUresult (*cuDeviceGetAttribute_fn)(int *value, CUdevice_attribute attribute, CUdevice device);
typedef CUresult (*cuDeviceTotalMem_v2_fn)(size_t *byteCount, CUdevice device);

typedef CUresult (*cuDevicePrimaryCtxRetain_fn)(CUcontext _Nullable *_Nonnull context, CUdevice device);
typedef CUresult (*cuDevicePrimaryCtxRelease_v2_fn)(CUdevice device);
typedef CUresult (*cuCtxSetCurrent_fn)(CUcontext _Nullable context);
typedef CUresult (*cuCtxSynchronize_fn)(void);

typedef CUresult (*cuMemGetInfo_v2_fn)(size_t *freeByteCount, size_t *totalByteCount);
typedef CUresult (*cuMemAlloc_v2_fn)(CUdeviceptr *address, size_t byteCount);
typedef CUresult (*cuMemFree_v2_fn)(CUdeviceptr address);
typedef CUresult (*cuMemHostAlloc_fn)(void *_Nullable *_Nonnull address, size_t byteCount, unsigned int flags);
typedef CUresult (*cuMemFreeHost_fn)(void *address);
typedef CUresult (*cuMemcpyHtoDAsync_v2_fn)(
    CUdeviceptr destination, const void *source, size_t byteCount, CUstream stream);
typedef CUresult (*cuMemcpyDtoHAsync_v2_fn)(
    void *destination, CUdeviceptr source, size_t byteCount, CUstream stream);
typedef CUresult (*cuMemcpyDtoDAsync_v2_fn)(
    CUdeviceptr destination, CUdeviceptr source, size_t byteCount, CUstream stream);
typedef CUresult (*cuMemsetD8Async_fn)(CUdeviceptr destination, unsigned char value, size_t byteCount, CUstream stream);

typedef CUresult (*cuStreamCreate_fn)(CUstream _Nullable *_Nonnull stream, unsigned int flags);
typedef CUresult (*cuStreamDestroy_v2_fn)(CUstream stream);
typedef CUresult (*cuStreamSynchronize_fn)(CUstream stream);
typedef CUresult (*cuStreamWaitEvent_fn)(CUstream stream, CUevent event, unsigned int flags);
typedef CUresult (*cuStreamBeginCapture_v2_fn)(CUstream stream, CUstreamCaptureMode mode);
typedef CUresult (*cuStreamEndCapture_fn)(CUstream stream, CUgraph _Nullable *_Nonnull graph);

typedef CUresult (*cuEventCreate_fn)(CUevent _Nullable *_Nonnull event, unsigned int flags);
typedef CUresult (*cuEventDestroy_v2_fn)(CUevent event);
typedef CUresult (*cuEventRecord_fn)(CUevent event, CUstream stream);
typedef CUresult (*cuEventSynchronize_fn)(CUevent event);
typedef CUresult (*cuEventElapsedTime_fn)(float *milliseconds, CUevent start, CUevent end);

typedef CUresult (*cuModuleLoadData_fn)(CUmodule _Nullable *_Nonnull module, const void *image);
typedef CUresult (*cuModuleUnload_fn)(CUmodule module);
typedef CUresult (*cuModuleGetFunction_fn)(CUfunction _Nullable *_Nonnull function, CUmodule module, const char *name);
typedef CUresult (*cuFuncLoad_fn)(CUfunction function);
typedef CUresult (*cuFuncGetAttribute_fn)(int *value, CUfunction_attribute attribute, CUfunction function);
typedef CUresult (*cuFuncSetAttribute_fn)(CUfunction function, CUfunction_attribute attribute, int value);
typedef CUresult (*cuFuncGetParamInfo_fn)(CUfunction function, size_t index, size_t *offset, size_t *byteCount);
typedef CUresult (*cuOccupancyMaxActiveBlocksPerMultiprocessor_fn)(
    int *blockCount, CUfunction function, int blockSize, size_t dynamicSharedByteCount);
typedef CUresult (*cuLaunchKernelEx_fn)(
    const CUlaunchConfig *config, CUfunction function, void *_Nullable *_Nullable parameters,
    void *_Nullable *_Nullable extra);

typedef CUresult (*cuGraphInstantiateWithFlags_fn)(
    CUgraphExec _Nullable *_Nonnull executable, CUgraph graph, unsigned long long flags);
typedef CUresult (*cuGraphDestroy_fn)(CUgraph graph);
typedef CUresult (*cuGraphExecDestroy_fn)(CUgraphExec executable);
typedef CUresult (*cuGraphGetNodes_fn)(CUgraph graph, CUgraphNode _Nullable *_Nullable nodes, size_t *count);
typedef CUresult (*cuGraphUpload_fn)(CUgraphExec executable, CUstream stream);
typedef CUresult (*cuGraphLaunch_fn)(CUgraphExec executable, CUstream stream);

#pragma clang assume_nonnull end
