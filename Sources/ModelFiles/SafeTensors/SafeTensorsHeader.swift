/// The header of a safetensors file: what tensors it holds and where their bytes lie.
///
/// The file is an 8-byte little-endian header length, the header (a JSON object), and the tensors' bytes, which fill
/// the rest without gaps. Source: the format description of the safetensors library; its rules are checked in full.
public struct SafeTensorsHeader: Sendable {
    /// One tensor of the header.
    public struct Tensor: Sendable, Equatable {
        /// The name of the tensor.
        public let name: String
        /// The type of the elements.
        public let elementType: ElementType
        /// The extents, outermost first.
        public let shape: [Int]
        /// The product of the extents.
        public let elementCount: Int
        /// Where the bytes lie, counted from the start of the file.
        public let byteRange: Range<Int>
    }

    /// The longest header that is read, in bytes; the limit of the safetensors library.
    public static let byteCountLimit = 100_000_000
    /// The longest name, in bytes of UTF-8.
    public static let nameLengthLimit = 1024
    /// The largest number of dimensions.
    public static let rankLimit = 16

    /// The member that holds free text instead of a tensor.
    static let metadataKey = "__metadata__"

    /// The tensors in the order of their bytes.
    public let tensors: [Tensor]
    /// Free text that came with the file.
    public let metadata: [String: String]

    /// Reads the header of a file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file; only the header is touched.
    ///   - file: the path, for messages.
    /// - Throws: ``ModelFileError`` with code `malformed`, or `unsupported` for an unknown element type.
    public init(parsing bytes: UnsafeRawBufferPointer, file: String) throws(ModelFileError) {
        let header = try Self.headerBytes(of: bytes, file: file)
        let dataStart = 8 + header.count
        let json: JSON
        do {
            json = try JSON(parsing: header, limits: JSONLimits(byteCount: Self.byteCountLimit, depth: 8))
        } catch {
            throw ModelFileError(.malformed, file: file, "the header is not valid JSON: \(error)")
        }
        guard case .object(let members) = json else {
            throw ModelFileError(.malformed, file: file, "expected the header to be an object, found \(json.typeName)")
        }
        var tensors: [Tensor] = []
        tensors.reserveCapacity(members.count)
        var metadata: [String: String] = [:]
        for (name, value) in members {
            let entry = HeaderEntry(file: file, name: name, value: value)
            if name == Self.metadataKey {
                metadata = try entry.metadata()
            } else {
                tensors.append(try entry.tensor(dataStart: dataStart))
            }
        }
        // Stable, so that empty tensors keep their place in the header.
        tensors.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        try Self.checkTiling(tensors, of: dataStart..<bytes.count, file: file)
        self.tensors = tensors
        self.metadata = metadata
    }

    private static func headerBytes(
        of bytes: UnsafeRawBufferPointer, file: String
    ) throws(ModelFileError) -> UnsafeRawBufferPointer {
        guard bytes.count >= 8 else {
            throw ModelFileError(
                .malformed, file: file, "a safetensors file has at least 8 bytes, this one has \(bytes.count)")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(byteCountLimit) else {
            throw ModelFileError(
                .malformed, file: file, "the header has \(length) bytes, more than the \(byteCountLimit) allowed")
        }
        guard length <= UInt64(bytes.count - 8) else {
            throw ModelFileError(
                .malformed, file: file, "the header has \(length) bytes, but only \(bytes.count - 8) follow its length")
        }
        let header = UnsafeRawBufferPointer(rebasing: bytes[8..<8 + Int(length)])
        guard header.first == UInt8(ascii: "{") else {
            throw ModelFileError(.malformed, file: file, "the header does not begin with '{'")
        }
        return header
    }

    /// The tensors must fill the data exactly: no byte unused, none used twice.
    private static func checkTiling(
        _ tensors: [Tensor], of data: Range<Int>, file: String
    ) throws(ModelFileError) {
        var end = data.lowerBound
        for tensor in tensors {
            guard tensor.byteRange.lowerBound == end else {
                let problem =
                    tensor.byteRange.lowerBound < end ? "overlaps the tensor before it" : "leaves a gap before it"
                throw ModelFileError(
                    .malformed, file: file, item: tensor.name.shortenedForMessage,
                    "begins at data offset \(tensor.byteRange.lowerBound - data.lowerBound) and \(problem), "
                        + "expected \(end - data.lowerBound)")
            }
            end = tensor.byteRange.upperBound
        }
        guard end == data.upperBound else {
            let found = data.upperBound - data.lowerBound
            throw ModelFileError(
                .malformed, file: file,
                "the tensors have \(end - data.lowerBound) bytes, but \(found) follow the header"
                    + (found < end - data.lowerBound ? ": the file is truncated" : ""))
        }
    }
}
