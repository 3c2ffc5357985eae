internal import CCUDA

/// NVIDIA's driver: the entry points that Nibble uses, found when the program runs.
///
/// Nothing of CUDA is needed to build or to start a program; without a driver ``load(_:onReleaseFailure:)`` throws and
/// everything else works on. Its functions may be called from any thread.
public final class Driver: Sendable {
    /// The oldest driver that has every entry point: CUDA 12.4, driver 550.
    public static let oldestVersion = Version(12, 4)

    /// The newest CUDA version that the driver supports.
    public let version: Version
    /// The path or name under which the library was found.
    public let path: String
    /// Told of a failed release, which has no caller that could be thrown to.
    let onReleaseFailure: @Sendable (CUDAError) -> Void

    let getErrorName: Function<cuGetErrorName_fn>
    let getErrorString: Function<cuGetErrorString_fn>
    let deviceGetCount: Function<cuDeviceGetCount_fn>
    let deviceGet: Function<cuDeviceGet_fn>
    let deviceGetName: Function<cuDeviceGetName_fn>
    let deviceGetAttribute: Function<cuDeviceGetAttribute_fn>
    let deviceTotalMem: Function<cuDeviceTotalMem_v2_fn>
    let primaryCtxRetain: Function<cuDevicePrimaryCtxRetain_fn>
    let primaryCtxRelease: Function<cuDevicePrimaryCtxRelease_v2_fn>
    let ctxSetCurrent: Function<cuCtxSetCurrent_fn>
    let ctxSynchronize: Function<cuCtxSynchronize_fn>
    let memGetInfo: Function<cuMemGetInfo_v2_fn>
    let memAlloc: Function<cuMemAlloc_v2_fn>
    let memFree: Function<cuMemFree_v2_fn>
    let memHostAlloc: Function<cuMemHostAlloc_fn>
    let memFreeHost: Function<cuMemFreeHost_fn>
    let memcpyHtoDAsync: Function<cuMemcpyHtoDAsync_v2_fn>
    let memcpyDtoHAsync: Function<cuMemcpyDtoHAsync_v2_fn>
    let memcpyDtoDAsync: Function<cuMemcpyDtoDAsync_v2_fn>
    let memsetD8Async: Function<cuMemsetD8Async_fn>
    let streamCreate: Function<cuStreamCreate_fn>
    let streamDestroy: Function<cuStreamDestroy_v2_fn>
    let streamSynchronize: Function<cuStreamSynchronize_fn>
    let streamWaitEvent: Function<cuStreamWaitEvent_fn>
    let streamBeginCapture: Function<cuStreamBeginCapture_v2_fn>
    let streamEndCapture: Function<cuStreamEndCapture_fn>
    let eventCreate: Function<cuEventCreate_fn>
    let eventDestroy: Function<cuEventDestroy_v2_fn>
    let eventRecord: Function<cuEventRecord_fn>
    let eventSynchronize: Function<cuEventSynchronize_fn>
    let eventElapsedTime: Function<cuEventElapsedTime_fn>
    let moduleLoadData: Function<cuModuleLoadData_fn>
    let moduleUnload: Function<cuModuleUnload_fn>
    let moduleGetFunction: Function<cuModuleGetFunction_fn>
    let funcLoad: Function<cuFuncLoad_fn>
    let funcGetAttribute: Function<cuFuncGetAttribute_fn>
    let funcSetAttribute: Function<cuFuncSetAttribute_fn>
    let funcGetParamInfo: Function<cuFuncGetParamInfo_fn>
    let occupancyMaxActiveBlocks: Function<cuOccupancyMaxActiveBlocksPerMultiprocessor_fn>
    let launchKernelEx: Function<cuLaunchKernelEx_fn>
    let graphInstantiate: Function<cuGraphInstantiateWithFlags_fn>
    let graphDestroy: Function<cuGraphDestroy_fn>
    let graphExecDestroy: Function<cuGraphExecDestroy_fn>
    let graphGetNodes: Function<cuGraphGetNodes_fn>
    let graphUpload: Function<cuGraphUpload_fn>
    let graphLaunch: Function<cuGraphLaunch_fn>

    /// Resolves the entry points of a driver whose version is known to be new enough.
    init(
        library: Library, version: Version, onReleaseFailure: @escaping @Sendable (CUDAError) -> Void
    ) throws(CUDAError) {
        path = library.path
        self.version = version
        self.onReleaseFailure = onReleaseFailure
        getErrorName = try library.function("cuGetErrorName")
        getErrorString = try library.function("cuGetErrorString")
        deviceGetCount = try library.function("cuDeviceGetCount")
        deviceGet = try library.function("cuDeviceGet")
        deviceGetName = try library.function("cuDeviceGetName")
        deviceGetAttribute = try library.function("cuDeviceGetAttribute")
        deviceTotalMem = try library.function("cuDeviceTotalMem_v2")
        primaryCtxRetain = try library.function("cuDevicePrimaryCtxRetain")
        primaryCtxRelease = try library.function("cuDevicePrimaryCtxRelease_v2")
        ctxSetCurrent = try library.function("cuCtxSetCurrent")
        ctxSynchronize = try library.function("cuCtxSynchronize")
        memGetInfo = try library.function("cuMemGetInfo_v2")
        memAlloc = try library.function("cuMemAlloc_v2")
        memFree = try library.function("cuMemFree_v2")
        memHostAlloc = try library.function("cuMemHostAlloc")
        memFreeHost = try library.function("cuMemFreeHost")
        memcpyHtoDAsync = try library.function("cuMemcpyHtoDAsync_v2")
        memcpyDtoHAsync = try library.function("cuMemcpyDtoHAsync_v2")
        memcpyDtoDAsync = try library.function("cuMemcpyDtoDAsync_v2")
        memsetD8Async = try library.function("cuMemsetD8Async")
        streamCreate = try library.function("cuStreamCreate")
        streamDestroy = try library.function("cuStreamDestroy_v2")
        streamSynchronize = try library.function("cuStreamSynchronize")
        streamWaitEvent = try library.function("cuStreamWaitEvent")
        streamBeginCapture = try library.function("cuStreamBeginCapture_v2")
        streamEndCapture = try library.function("cuStreamEndCapture")
        eventCreate = try library.function("cuEventCreate")
        eventDestroy = try library.function("cuEventDestroy_v2")
        eventRecord = try library.function("cuEventRecord")
        eventSynchronize = try library.function("cuEventSynchronize")
        eventElapsedTime = try library.function("cuEventElapsedTime")
        moduleLoadData = try library.function("cuModuleLoadData")
        moduleUnload = try library.function("cuModuleUnload")
        moduleGetFunction = try library.function("cuModuleGetFunction")
        funcLoad = try library.function("cuFuncLoad")
        funcGetAttribute = try library.function("cuFuncGetAttribute")
        funcSetAttribute = try library.function("cuFuncSetAttribute")
        funcGetParamInfo = try library.function("cuFuncGetParamInfo")
        occupancyMaxActiveBlocks = try library.function("cuOccupancyMaxActiveBlocksPerMultiprocessor")
        launchKernelEx = try library.function("cuLaunchKernelEx")
        graphInstantiate = try library.function("cuGraphInstantiateWithFlags")
        graphDestroy = try library.function("cuGraphDestroy")
        graphExecDestroy = try library.function("cuGraphExecDestroy")
        graphGetNodes = try library.function("cuGraphGetNodes")
        graphUpload = try library.function("cuGraphUpload")
        graphLaunch = try library.function("cuGraphLaunch")
    }
}
