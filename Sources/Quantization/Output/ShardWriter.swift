import FP4
import ModelFiles

/// Writes the files of a plan, one after another, with the memory of a few million weights.
struct ShardWriter: ~Copyable {
    /// How many weights are quantized at a time: few enough to stay in the processor's cache.
    private static let chunkElementCount = 1 << 17

    private let plan: QuantizationPlan
    private let onProgress: (_ byteCount: Int) throws -> Void
    private let values: Buffer
    private let codes: Buffer
    private var globalScales: [ScaleGroup: GlobalScale] = [:]

    /// - Parameter onProgress: called with bytes of the source that have been read since the last call; what it throws
    ///   ends the work.
    init(_ plan: QuantizationPlan, onProgress: @escaping (_ byteCount: Int) throws -> Void) {
        self.plan = plan
        self.onProgress = onProgress
        // A wide matrix needs more than a chunk: at least one row, or one row of blocks.
        let elementCount = plan.shards.reduce(Self.chunkElementCount) { largest, shard in
            shard.tensors.reduce(largest) { largest, tensor in
                guard case .packed(let weight) = tensor else { return largest }
                return max(largest, weight.chunkRowCount(elementCount: 1) * weight.view.columnCount)
            }
        }
        values = Buffer(byteCount: 4 * elementCount)
        codes = Buffer(byteCount: elementCount / 2)
    }

    /// Writes a file.
    ///
    /// - Throws: ``ModelFileError`` if the file cannot be written, a source file was changed meanwhile, or a weight is
    ///   NaN or infinite; what `onProgress` throws.
    mutating func write(_ shard: QuantizationPlan.Shard, to path: String) throws {
        // The format has no padding, so wide types go first; engines do not depend on the order.
        let tensors = [8, 4, 2, 1].flatMap { width in shard.tensors.filter { $0.alignment == width } }
        for case .packed(let weight) in tensors { try measure(weight.scaleGroup) }
        var writer = try SafeTensorsWriter(
            path: path, tensors: tensors.flatMap(\.declarations), metadata: ["format": "pt"])
        for tensor in tensors {
            switch tensor {
            case .copy(let tensor): try copy(tensor, to: &writer)
            case .slice(_, let tensor, let first, let stride, let count):
                try copySlice(of: tensor, first: first, stride: stride, count: count, to: &writer)
            case .globalScale(_, let group): try write(scale(of: group).stored, to: &writer)
            case .packed(let weight): try quantize(weight, to: &writer)
            }
        }
        try writer.finish()
    }

    /// Finds the global scale of a group, whose weights may lie in several files.
    private mutating func measure(_ group: ScaleGroup) throws {
        guard globalScales[group] == nil else { return }
        var maximum: Float = 0
        for extent in plan.extents[group] ?? [] {
            try extent.tensor.file.checkUnchanged()
            var start = extent.elements.lowerBound
            while start < extent.elements.upperBound {
                let end = min(start + Self.chunkElementCount, extent.elements.upperBound)
                let chunk = values.floats(end - start)
                extent.tensor.decode(start..<end, into: chunk)
                let chunkMaximum = absoluteMaximum(of: UnsafeBufferPointer(chunk))
                guard chunkMaximum.isFinite else {
                    throw extent.tensor.error(
                        .unsupported,
                        "a weight is \(chunkMaximum.isNaN ? "NaN" : "infinite"), so the tensor cannot be quantized; "
                            + "leave its module as it is with --exclude")
                }
                maximum = max(maximum, chunkMaximum)
                try onProgress((end - start) * extent.tensor.elementSize)
                start = end
            }
            extent.tensor.discard()
        }
        globalScales[group] = GlobalScale(absoluteMaximum: maximum, layout: plan.scheme.layout)
    }

    private func scale(of group: ScaleGroup) -> GlobalScale {
        guard let scale = globalScales[group] else { preconditionFailure("every group is measured before it is used") }
        return scale
    }

    private func quantize(_ weight: PackedWeight, to writer: inout SafeTensorsWriter) throws {
        let view = weight.view
        let blockSize = weight.scheme.format.blockSize
        let multiplier = scale(of: weight.scaleGroup).multiplier
        let scales = Buffer(byteCount: view.rowCount * view.columnCount / blockSize)
        let chunkRowCount = weight.chunkRowCount(elementCount: Self.chunkElementCount)
        try view.tensor.file.checkUnchanged()
        for start in stride(from: 0, to: view.rowCount, by: chunkRowCount) {
            let rows = start..<min(start + chunkRowCount, view.rowCount)
            let elementCount = rows.count * view.columnCount
            let chunk = values.floats(elementCount)
            view.read(rows, into: chunk)
            let chunkCodes = UnsafeMutableRawBufferPointer(rebasing: codes.bytes[..<(elementCount / 2)])
            let firstScale = start * view.columnCount / blockSize
            weight.quantize(
                UnsafeBufferPointer(chunk), globalScale: multiplier, codes: chunkCodes,
                scales: UnsafeMutableRawBufferPointer(
                    rebasing: scales.bytes[firstScale..<firstScale + elementCount / blockSize]))
            try writer.append(UnsafeRawBufferPointer(chunkCodes))
            try onProgress(elementCount * view.tensor.elementSize)
        }
        try writer.append(UnsafeRawBufferPointer(scales.bytes))
        view.tensor.discard()
    }

    private func copy(_ tensor: TensorView, to writer: inout SafeTensorsWriter) throws {
        try tensor.file.checkUnchanged()
        try writer.append(tensor.bytes)
        extendLifetime(tensor.file)
        tensor.discard()
        try onProgress(tensor.byteRange.count)
    }

    private func copySlice(
        of tensor: TensorView, first: Int, stride: Int, count: Int, to writer: inout SafeTensorsWriter
    ) throws {
        try tensor.file.checkUnchanged()
        let size = tensor.elementSize
        for index in 0..<count {
            let start = (first + index * stride) * size
            try writer.append(UnsafeRawBufferPointer(rebasing: tensor.bytes[start..<start + size]))
        }
        extendLifetime(tensor.file)
        try onProgress(count * size)
    }

    private func write(_ scale: Float, to writer: inout SafeTensorsWriter) throws {
        let target = values.bytes
        target.storeBytes(of: scale.bitPattern.littleEndian, as: UInt32.self)
        try writer.append(UnsafeRawBufferPointer(rebasing: target[..<4]))
    }
}
