// Each entry point has the type by which Nibble calls it, or its definition does not compile.
#pragma once
#include "include/FakeCUDA.h"

#define ENTRY_POINT(name) typeof(*(name##_fn)nullptr) name

ENTRY_POINT(cuInit);
ENTRY_POINT(cuDriverGetVersion);
ENTRY_POINT(cuGetErrorName);
ENTRY_POINT(cuGetErrorString);
ENTRY_POINT(cuDeviceGetCount);
ENTRY_POINT(cuDeviceGet);
ENTRY_POINT(cuDeviceGetName);
ENTRY_POINT(cuDeviceGetAttribute);
ENTRY_POINT(cuDeviceTotalMem_v2);
ENTRY_POINT(cuDevicePrimaryCtxRetain);
ENTRY_POINT(cuDevicePrimaryCtxRelease_v2);
ENTRY_POINT(cuCtxSetCurrent);
ENTRY_POINT(cuCtxSynchronize);
ENTRY_POINT(cuMemGetInfo_v2);
ENTRY_POINT(cuMemAlloc_v2);
ENTRY_POINT(cuMemFree_v2);
ENTRY_POINT(cuMemHostAlloc);
ENTRY_POINT(cuMemFreeHost);
ENTRY_POINT(cuMemcpyHtoDAsync_v2);
ENTRY_POINT(cuMemcpyDtoHAsync_v2);
ENTRY_POINT(cuMemcpyDtoDAsync_v2);
ENTRY_POINT(cuMemsetD8Async);
ENTRY_POINT(cuStreamCreate);
ENTRY_POINT(cuStreamDestroy_v2);
ENTRY_POINT(cuStreamSynchronize);
ENTRY_POINT(cuStreamWaitEvent);
ENTRY_POINT(cuStreamBeginCapture_v2);
ENTRY_POINT(cuStreamEndCapture);
ENTRY_POINT(cuEventCreate);
ENTRY_POINT(cuEventDestroy_v2);
ENTRY_POINT(cuEventRecord);
ENTRY_POINT(cuEventSynchronize);
ENTRY_POINT(cuEventElapsedTime);
ENTRY_POINT(cuModuleLoadData);
ENTRY_POINT(cuModuleUnload);
ENTRY_POINT(cuModuleGetFunction);
ENTRY_POINT(cuFuncLoad);
ENTRY_POINT(cuFuncGetAttribute);
ENTRY_POINT(cuFuncSetAttribute);
ENTRY_POINT(cuFuncGetParamInfo);
ENTRY_POINT(cuOccupancyMaxActiveBlocksPerMultiprocessor);
ENTRY_POINT(cuLaunchKernelEx);
ENTRY_POINT(cuGraphInstantiateWithFlags);
ENTRY_POINT(cuGraphDestroy);
ENTRY_POINT(cuGraphExecDestroy);
ENTRY_POINT(cuGraphGetNodes);
ENTRY_POINT(cuGraphUpload);
ENTRY_POINT(cuGraphLaunch);
ENTRY_POINT(nvrtcGetErrorString);
ENTRY_POINT(nvrtcVersion);
ENTRY_POINT(nvrtcGetNumSupportedArchs);
ENTRY_POINT(nvrtcGetSupportedArchs);
ENTRY_POINT(nvrtcCreateProgram);
ENTRY_POINT(nvrtcDestroyProgram);
ENTRY_POINT(nvrtcCompileProgram);
ENTRY_POINT(nvrtcGetCUBINSize);
ENTRY_POINT(nvrtcGetCUBIN);
ENTRY_POINT(nvrtcGetProgramLogSize);
ENTRY_POINT(nvrtcGetProgramLog);
