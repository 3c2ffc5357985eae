internal import CUDA
internal import Kernels

/// Copies matrices to a GPU and repacks them there, one after another, through one piece of staging memory.
struct WeightPacker {
    private let pairKernel: Kernel
    private let matrixKernel: Kernel
    private let staging: DeviceBuffer<UInt8>
    private let refused: DeviceBuffer<UInt32>

    /// Makes staging memory for the largest upload.
    init(_ format: WeightFormat, stagingByteCount: Int, loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        pairKernel = try RepackWeights(format: format, isPaired: true).load(loader)
        matrixKernel = try RepackWeights(format: format, isPaired: false).load(loader)
        staging = try DeviceBuffer(loader.context, count: stagingByteCount)
        refused = try DeviceBuffer(loader.context, count: 1)
        try stream.fill(refused, byte: 0)
    }

    /// Repacks a matrix, or a gate and up pair; their bytes have been read when this returns.
    func pack(
        _ matrix: WeightMatrix, with second: WeightMatrix? = nil, _ layout: SlabLayout,
        into slabs: DeviceBuffer<UInt8>, on stream: Stream
    ) throws(CUDAError) {
        let upload = try WeightUpload([matrix] + (second.map { [$0] } ?? []))
        try upload.copy(to: staging, on: stream)
        try RepackWeights.launch(
            second == nil ? matrixKernel : pairKernel, on: stream, source(matrix, second, upload), layout: layout,
            into: slabs, refused: refused)
        // The staging memory is written to again.
        try stream.synchronize()
    }

    /// Waits for the work so far.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if a scale or a weight was not one that the slabs can hold.
    func finish(on stream: Stream) throws(CUDAError) {
        guard try stream.read(refused) == [0] else {
            throw CUDAError(
                .unsupported,
                "an NVFP4 block scale that is NaN, an MXFP4 one above 2^8 or NaN, or an FP8 weight that is NaN, which the "
                    + "kernels cannot hold")
        }
    }

    private func source(
        _ matrix: WeightMatrix, _ second: WeightMatrix?, _ upload: WeightUpload
    ) -> RepackWeights.Arguments {
        func address(_ bytes: StridedBytes?) -> UInt64 {
            bytes.map { upload.address(of: $0.base, in: staging) } ?? 0
        }
        let scales = matrix.blockScales
        return RepackWeights.Arguments(
            elements: (address(matrix.elements), address(second?.elements)),
            scales: (address(scales), address(second?.blockScales)), rowStride: Int64(matrix.elements.rowStride),
            columnStride: Int64(matrix.elements.columnStride), scaleRowStride: Int64(scales?.rowStride ?? 0),
            scaleColumnStride: Int64(scales?.columnStride ?? 0), rowCount: UInt32(matrix.rowCount),
            columnCount: UInt32(matrix.columnCount))
    }
}
