public import CUDA
public import Kernels

/// A matrix in a GPU's memory, in the slabs that all kernels read.
public final class LinearWeights: Sendable {
    /// The number of outputs.
    public let rowCount: Int
    /// The number of inputs.
    public let columnCount: Int
    /// How the weights are stored.
    public let format: WeightFormat

    let slabs: DeviceBuffer<UInt8>
    /// One global scale.
    let scale: DeviceBuffer<Float>
    /// What the products of each row are multiplied by besides; empty for 1.
    let rowScales: DeviceBuffer<Float>
    /// The encode scale with which W4A4 quantizes the input, where the checkpoint has one.
    let inputEncodeScale: Float?
    /// What all products are multiplied by.
    let globalScale: Float
    var shape: ExpertShape { ExpertShape(format, rowCount: rowCount, columnCount: columnCount) }

    /// Copies a matrix to the GPU, repacks it there, and waits; the matrix is discarded once it has been read.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if no kernel reads its encoding, `outOfMemory`, or that of the
    ///   call that failed.
    public init(_ matrix: WeightMatrix, loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        guard let format = matrix.format else {
            throw CUDAError(.unsupported, "\(matrix.name): expected NVFP4, MXFP4, FP8 or BF16 weights for a GPU")
        }
        let layout = SlabLayout(format, rowCount: matrix.rowCount, columnCount: matrix.columnCount)
        guard let byteCount = layout.byteCount, matrix.rowCount > 0, matrix.columnCount > 0,
            layout.blockCount <= 0xffff
        else {
            throw CUDAError(
                .unsupported,
                "\(matrix.name): \(matrix.rowCount) x \(matrix.columnCount) weights, which no kernel takes")
        }
        let rowScales = matrix.rowScales ?? []
        guard rowScales.isEmpty || rowScales.count == matrix.rowCount else {
            throw CUDAError(
                .unsupported, "\(matrix.name): \(rowScales.count) scales, expected 1 or \(matrix.rowCount)")
        }
        rowCount = matrix.rowCount
        columnCount = matrix.columnCount
        self.format = format
        inputEncodeScale = matrix.inputEncodeScale
        globalScale = matrix.globalScale
        self.rowScales = try DeviceBuffer(
            loader.context, count: rowScales.isEmpty ? 0 : matrix.rowCount.rounded(upTo: SlabLayout.columnCount))
        slabs = try DeviceBuffer(loader.context, count: byteCount)
        scale = try DeviceBuffer(loader.context, count: 1)
        let packer = try WeightPacker(
            format, stagingByteCount: try WeightUpload([matrix]).byteCount, loader: loader, on: stream)
        try packer.pack(matrix, layout, into: slabs, on: stream)
        try packer.finish(on: stream)
        matrix.discard()
        try stream.write([matrix.globalScale], to: scale)
        let padding = [Float](repeating: 1, count: self.rowScales.count - rowScales.count)
        try stream.write(rowScales + padding, to: self.rowScales)
    }

    /// A copy at an address of its own, for measuring.
    package init(copying other: LinearWeights, on stream: Stream) throws(CUDAError) {
        rowCount = other.rowCount
        columnCount = other.columnCount
        format = other.format
        slabs = try DeviceBuffer(stream.context, count: other.slabs.count)
        scale = other.scale
        rowScales = other.rowScales
        inputEncodeScale = other.inputEncodeScale
        globalScale = other.globalScale
        try stream.copy(other.slabs, to: slabs)
    }
}
