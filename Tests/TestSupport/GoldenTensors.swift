#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import ModelFiles

/// The tensors of a safetensors file below `Tests/Golden`.
public struct GoldenTensors: Sendable {
    /// A tensor, not interpreted.
    public struct Tensor: Sendable {
        /// The element type by its safetensors name: `BF16`, `F8_E4M3`, `U8`.
        public let dtype: String
        /// The sizes, outermost first.
        public let shape: [Int]
        /// The elements, little-endian, row-major.
        public let bytes: [UInt8]

        /// The elements as numbers of a type of their size; the machines that run tests are little-endian too.
        public func elements<Element: BitwiseCopyable>(as type: Element.Type) -> [Element] {
            bytes.withUnsafeBytes { bytes in
                stride(from: 0, to: bytes.count, by: MemoryLayout<Element>.size).map {
                    bytes.loadUnaligned(fromByteOffset: $0, as: type)
                }
            }
        }
    }

    /// Why a golden file could not be read.
    public struct Unreadable: Error {
        /// The file, and the part that is not as expected.
        public let what: String
    }

    private let file: String
    private let header: JSON
    private let data: ArraySlice<UInt8>

    /// Reads a file, by its path below `Tests/Golden`.
    public init(_ relativePath: String) throws {
        file = relativePath
        let bytes = try Self.contents(ofFile: Golden.path(relativePath))
        guard bytes.count >= 8 else { throw Unreadable(what: "\(relativePath): no header") }
        let headerEnd = 8 + Int(bytes.withUnsafeBytes { $0.load(as: UInt64.self) })
        header = try bytes[8..<headerEnd].withUnsafeBytes { try JSON(parsing: $0) }
        data = bytes[headerEnd...]
    }

    /// A tensor by its name.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = header[name], case .string(let dtype) = entry["dtype"],
            let shape = entry["shape"]?.integers,
            let range = entry["data_offsets"]?.integers, range.count == 2
        else { throw Unreadable(what: "\(file): \(name)") }
        let bytes = data[(data.startIndex + range[0])..<(data.startIndex + range[1])]
        return Tensor(dtype: dtype, shape: shape, bytes: Array(bytes))
    }

    private static func contents(ofFile path: String) throws -> [UInt8] {
        guard let handle = fopen(path, "rb") else { throw Unreadable(what: path) }
        defer { fclose(handle) }
        fseek(handle, 0, SEEK_END)
        let count = ftell(handle)
        rewind(handle)
        return [UInt8](unsafeUninitializedCapacity: count) { $1 = fread($0.baseAddress, 1, count, handle) }
    }
}

extension JSON {
    fileprivate var integers: [Int]? {
        guard case .array(let elements) = self else { return nil }
        return elements.compactMap { if case .integer(let number) = $0 { number } else { nil } }
    }
}
