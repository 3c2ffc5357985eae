internal import CUDA
internal import Kernels

/// The bytes of a checkpoint that one repacking reads, copied to the GPU as they lie: ranges that overlap, such as gate and
/// up rows in turns, are copied once.
struct WeightUpload {
    private static let alignment = 256

    /// Ranges of host addresses and the offsets of their copies, ascending.
    private let ranges: [(addresses: Range<UInt>, offset: Int)]
    /// The bytes of all copies, each at a multiple of 256.
    let byteCount: Int

    /// Plans the copies of some matrices.
    init(_ matrices: [WeightMatrix]) throws(CUDAError) {
        var pending: [Range<UInt>] = []
        for matrix in matrices {
            for entries in try Self.entries(of: matrix) { pending.append(try Self.range(of: entries, matrix.name)) }
        }
        pending.sort { $0.lowerBound < $1.lowerBound }
        var merged: [Range<UInt>] = []
        for range in pending {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        var ranges: [(addresses: Range<UInt>, offset: Int)] = []
        var offset = 0
        for range in merged {
            ranges.append((range, offset))
            offset += range.count.rounded(upTo: Self.alignment)
        }
        self.ranges = ranges
        byteCount = offset
    }

    /// Copies the bytes and waits until they are there.
    func copy(to staging: DeviceBuffer<UInt8>, on stream: Stream) throws(CUDAError) {
        for (addresses, offset) in ranges {
            let bytes = UnsafeRawBufferPointer(
                start: UnsafeRawPointer(bitPattern: addresses.lowerBound), count: addresses.count)
            try stream.write(bytes, to: try staging.part(offset..<offset + addresses.count))
        }
    }

    /// Where the copy of a host address is on the GPU; 0 if it was not copied.
    func address(of pointer: UnsafeRawPointer, in staging: DeviceBuffer<UInt8>) -> UInt64 {
        let host = UInt(bitPattern: pointer)
        guard let (addresses, offset) = ranges.first(where: { $0.addresses.contains(host) }) else { return 0 }
        return staging.address + UInt64(offset) + UInt64(host - addresses.lowerBound)
    }

    private typealias Entries = (bytes: StridedBytes, rowCount: Int, columnCount: Int, byteCount: Int)

    /// The codes or elements of a matrix, and its block scales.
    private static func entries(of matrix: WeightMatrix) throws(CUDAError) -> [Entries] {
        let (rows, columns) = (matrix.rowCount, matrix.columnCount)
        return switch matrix.encoding {
        case .nvfp4(let scales, _): [(matrix.elements, rows, columns / 2, 1), (scales, rows, columns / 16, 1)]
        case .mxfp4(let scales): [(matrix.elements, rows, columns / 2, 1), (scales, rows, columns / 32, 1)]
        case .bfloat16: [(matrix.elements, rows, columns, 2)]
        case .float8: [(matrix.elements, rows, columns, 1)]
        case .float16, .float32:
            throw CUDAError(.unsupported, "\(matrix.name): expected NVFP4, MXFP4, FP8 or BF16 weights for a GPU")
        }
    }

    private static func range(of entries: Entries, _ name: String) throws(CUDAError) -> Range<UInt> {
        let (rows, isFar) = entries.bytes.rowStride.multipliedReportingOverflow(by: entries.rowCount - 1)
        let (columns, isFurther) = entries.bytes.columnStride.multipliedReportingOverflow(by: entries.columnCount - 1)
        let (last, isFurthest) = rows.addingReportingOverflow(columns)
        guard !isFar, !isFurther, !isFurthest, rows >= 0, columns >= 0 else {
            throw CUDAError(.unsupported, "\(name): strides that a GPU cannot follow")
        }
        let start = UInt(bitPattern: entries.bytes.base)
        return start..<start + UInt(last + entries.byteCount)
    }
}
