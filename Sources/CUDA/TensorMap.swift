internal import CCUDA

/// How the copy engine of Hopper and newer finds boxes of a tensor in memory; a kernel takes it by value, as
/// `const __grid_constant__ CUtensorMap`.
///
/// Its rules are those of `cuTensorMapEncodeTiled` in the CUDA Driver API reference.
public struct TensorMap: Sendable, KernelArgument {
    /// The type of a tensor's elements.
    public enum ElementType: Sendable {
        case uint8, uint16, uint32, float16, float32, bfloat16

        var byteCount: Int {
            switch self {
            case .uint8: 1
            case .uint16, .float16, .bfloat16: 2
            case .uint32, .float32: 4
            }
        }

        var value: CUtensorMapDataType {
            switch self {
            case .uint8: CU_TENSOR_MAP_DATA_TYPE_UINT8
            case .uint16: CU_TENSOR_MAP_DATA_TYPE_UINT16
            case .uint32: CU_TENSOR_MAP_DATA_TYPE_UINT32
            case .float16: CU_TENSOR_MAP_DATA_TYPE_FLOAT16
            case .float32: CU_TENSOR_MAP_DATA_TYPE_FLOAT32
            case .bfloat16: CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
            }
        }
    }

    /// How the 16-byte pieces of a box's rows are exchanged in shared memory, to spread them over its banks.
    public enum Swizzle: Int, Sendable {
        /// Not at all.
        case none = 0
        /// Within rows of 32, 64 or 128 bytes, which is then also the most that a box's row may have.
        case bytes32 = 32, bytes64 = 64, bytes128 = 128

        var value: CUtensorMapSwizzle {
            switch self {
            case .none: CU_TENSOR_MAP_SWIZZLE_NONE
            case .bytes32: CU_TENSOR_MAP_SWIZZLE_32B
            case .bytes64: CU_TENSOR_MAP_SWIZZLE_64B
            case .bytes128: CU_TENSOR_MAP_SWIZZLE_128B
            }
        }
    }

    /// The 128 bytes of the map.
    public let parameter: SIMD16<UInt64>

    /// Describes a tensor in a buffer.
    ///
    /// Elements of a box that lie outside the tensor are read as 0 and not written.
    ///
    /// - Parameters:
    ///   - buffer: the memory, from the tensor's first element.
    ///   - type: the type of its elements.
    ///   - shape: the sizes in elements, innermost first, 1 to 5 of them.
    ///   - strides: the bytes from one row to the next, and so on outwards: one less than `shape`; multiples of 16.
    ///   - box: the sizes of a box in elements, innermost first, each 1 to 256.
    ///   - swizzle: how its rows lie in shared memory.
    /// - Throws: ``CUDAError`` with code `invalidArgument` that says which rule is broken.
    public init<Element>(
        _ buffer: DeviceBuffer<Element>, type: ElementType, shape: [Int], strides: [Int], box: [Int],
        swizzle: Swizzle = .none
    ) throws(CUDAError) {
        try Self.check(buffer, type, shape, strides, box, swizzle)
        let driver = buffer.memory.context.driver
        let dimensions = shape.map { UInt64($0) }
        let byteStrides = strides.map { UInt64($0) } + [0]
        let boxDimensions = box.map { UInt32($0) }
        let steps = [UInt32](repeating: 1, count: shape.count)
        // The driver wants an address divisible by 64, which a Swift value need not have.
        let storage = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 64)
        defer { storage.deallocate() }
        let map = storage.bindMemory(to: CUtensorMap.self, capacity: 1)
        map.initialize(to: CUtensorMap())
        guard let address = UnsafeMutableRawPointer(bitPattern: UInt(buffer.address)) else {
            throw CUDAError(.invalidArgument, "a tensor map needs memory, found an empty buffer")
        }
        try driver.call(driver.tensorMapEncodeTiled, "shape \(shape), strides \(strides), box \(box)") {
            $0(
                map, type.value, UInt32(shape.count), address, dimensions, byteStrides, boxDimensions, steps,
                CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle.value, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
        }
        parameter = storage.load(as: SIMD16<UInt64>.self)
    }

    private static func check<Element>(
        _ buffer: DeviceBuffer<Element>, _ type: ElementType, _ shape: [Int], _ strides: [Int], _ box: [Int],
        _ swizzle: Swizzle
    ) throws(CUDAError) {
        func expect(_ isTrue: Bool, _ rule: String) throws(CUDAError) {
            guard isTrue else {
                throw CUDAError(
                    .invalidArgument,
                    "tensor map of shape \(shape), strides \(strides), box \(box), address \(buffer.address): \(rule)")
            }
        }
        try expect(1...5 ~= shape.count, "expected 1 to 5 dimensions")
        try expect(strides.count == shape.count - 1, "expected one stride less than dimensions")
        try expect(box.count == shape.count, "expected as many box sizes as dimensions")
        try expect(shape.allSatisfy { 1...(1 << 32) ~= $0 }, "expected sizes from 1 to 2^32")
        try expect(box.allSatisfy { 1...256 ~= $0 }, "expected box sizes from 1 to 256")
        try expect(
            strides.allSatisfy { 1..<(1 << 40) ~= $0 && $0 % 16 == 0 }, "expected strides below 2^40, multiples of 16")
        try expect(buffer.address % 16 == 0, "expected an address divisible by 16")
        let rowByteCount = box[0] * type.byteCount
        try expect(rowByteCount % 16 == 0, "expected rows of a box of a multiple of 16 bytes, not \(rowByteCount)")
        try expect(
            swizzle == .none || rowByteCount <= swizzle.rawValue,
            "expected rows of a box of at most the swizzle's \(swizzle.rawValue) bytes, not \(rowByteCount)")
        let byteCount = Self.byteCount(shape: shape, strides: [type.byteCount] + strides)
        try expect(
            byteCount.map { $0 <= buffer.byteCount } ?? false,
            "expected the tensor inside the buffer's \(buffer.byteCount) bytes")
    }

    /// The bytes from the first element to the end of the last; nil if they cannot be counted.
    private static func byteCount(shape: [Int], strides: [Int]) -> Int? {
        var byteCount = strides[0]
        for (count, stride) in zip(shape, strides) {
            let (distance, isHuge) = (count - 1).multipliedReportingOverflow(by: stride)
            let (sum, isTooLong) = byteCount.addingReportingOverflow(distance)
            guard !isHuge, !isTooLong else { return nil }
            byteCount = sum
        }
        return byteCount
    }
}
