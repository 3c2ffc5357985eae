// The part of NVRTC, NVIDIA's run-time compiler, that Nibble uses: types as in driver.h.
#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

typedef struct nvrtcProgram_st *nvrtcProgram;

typedef enum nvrtcResult {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
} nvrtcResult;

typedef const char *_Nonnull (*nvrtcGetErrorString_fn)(nvrtcResult result);
typedef nvrtcResult (*nvrtcVersion_fn)(int *major, int *minor);
typedef nvrtcResult (*nvrtcGetNumSupportedArchs_fn)(int *count);
typedef nvrtcResult (*nvrtcGetSupportedArchs_fn)(int *architectures);
typedef nvrtcResult (*nvrtcCreateProgram_fn)(
    nvrtcProgram _Nullable *_Nonnull program, const char *source, const char *name, int headerCount,
    const char *_Nullable const *_Nullable headers, const char *_Nullable const *_Nullable includeNames);
typedef nvrtcResult (*nvrtcDestroyProgram_fn)(nvrtcProgram _Nullable *_Nonnull program);
typedef nvrtcResult (*nvrtcCompileProgram_fn)(
    nvrtcProgram program, int optionCount, const char *_Nullable const *_Nullable options);
typedef nvrtcResult (*nvrtcGetCUBINSize_fn)(nvrtcProgram program, size_t *byteCount);
typedef nvrtcResult (*nvrtcGetCUBIN_fn)(nvrtcProgram program, char *cubin);
typedef nvrtcResult (*nvrtcGetProgramLogSize_fn)(nvrtcProgram program, size_t *byteCount);
typedef nvrtcResult (*nvrtcGetProgramLog_fn)(nvrtcProgram program, char *log);

#pragma clang assume_nonnull end
