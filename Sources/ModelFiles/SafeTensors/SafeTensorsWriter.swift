/// Writes a safetensors file piece by piece: all tensors are declared first, then their bytes are appended in order.
///
/// ```swift
/// var writer = try SafeTensorsWriter(path: path, tensors: [.init(name: "w", elementType: .f32, shape: [2, 3])])
/// try writer.append(bytes)
/// try writer.finish()
/// ```
///
/// A file that is not finished is deleted when the writer goes.
public struct SafeTensorsWriter: ~Copyable {
    /// A tensor of the file to be written.
    public struct Declaration: Sendable {
        /// The name of the tensor.
        public let name: String
        /// The type of the elements.
        public let elementType: ElementType
        /// The extents, outermost first.
        public let shape: [Int]

        /// A tensor of this name, type and shape.
        public init(name: String, elementType: ElementType, shape: [Int]) {
            self.name = name
            self.elementType = elementType
            self.shape = shape
        }
    }

    private var file: OutputFile
    private let tensors: [(name: String, byteCount: Int)]
    private var position = 0
    private var writtenByteCount = 0

    /// Creates the file at `path`, where nothing may be yet, and writes its header.
    ///
    /// - Parameters:
    ///   - path: where to write.
    ///   - tensors: the tensors in the order of their bytes. Readers expect each tensor at a multiple of its element
    ///     size, and the format has no padding, so tensors with wide elements go first.
    ///   - metadata: free text.
    /// - Throws: ``ModelFileError`` if the file exists or cannot be written, or a tensor would not be read back: two of
    ///   one name, an invalid shape, a start that is not aligned.
    public init(
        path: String, tensors: [Declaration], metadata: [String: String] = [:]
    ) throws(ModelFileError) {
        let layout = try SafeTensorsLayout(of: tensors, file: path)
        let header = try layout.header(metadata: metadata, file: path)
        var file = try OutputFile(creating: path)
        try Self.write(header, to: &file)
        self.file = file
        self.tensors = layout.tensors.map { ($0.declaration.name, $0.byteRange.count) }
    }

    /// Appends bytes of the current tensor; once it has all its bytes, the next tensor is the current one.
    ///
    /// - Parameter bytes: row-major and little-endian, the whole tensor or a piece of it.
    /// - Throws: ``ModelFileError`` with code `mismatched` if the tensor has fewer bytes than that, `inaccessible` if the
    ///   bytes cannot be written.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
        skipCompleteTensors()
        guard !bytes.isEmpty else { return }
        guard position < tensors.count else {
            throw ModelFileError(.mismatched, file: file.path, "\(bytes.count) bytes follow the last tensor")
        }
        let tensor = tensors[position]
        guard bytes.count <= tensor.byteCount - writtenByteCount else {
            throw ModelFileError(
                .mismatched, file: file.path, item: tensor.name,
                "expected \(tensor.byteCount) bytes, found \(writtenByteCount) and \(bytes.count) more")
        }
        try file.write(bytes)
        writtenByteCount += bytes.count
    }

    /// Makes sure that the file is complete and on the disk.
    ///
    /// - Throws: ``ModelFileError`` with code `missing` if bytes of a tensor have not been appended, `inaccessible` if
    ///   the disk refuses them; the file is deleted then.
    public consuming func finish() throws(ModelFileError) {
        skipCompleteTensors()
        guard position == tensors.count else {
            let tensor = tensors[position]
            throw ModelFileError(
                .missing, file: file.path, item: tensor.name,
                "expected \(tensor.byteCount) bytes, found \(writtenByteCount)")
        }
        try file.finish()
    }

    private mutating func skipCompleteTensors() {
        while position < tensors.count, writtenByteCount == tensors[position].byteCount {
            position += 1
            writtenByteCount = 0
        }
    }

    private static func write(_ bytes: [UInt8], to file: inout OutputFile) throws(ModelFileError) {
        // Closures of the standard library do not throw typed errors through a noncopyable capture.
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(ModelFileError) in try file.write(bytes) }
        }
        try result.get()
    }
}
