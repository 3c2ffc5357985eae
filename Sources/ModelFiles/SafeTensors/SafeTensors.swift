/// A safetensors file, mapped into memory.
public struct SafeTensors: Sendable {
    /// The mapped file.
    public let file: MappedFile
    /// The tensors in the order of their bytes.
    public let tensors: [TensorView]
    /// Free text that came with the file.
    public let metadata: [String: String]

    /// Maps the file at `path` and reads its header.
    ///
    /// - Throws: ``ModelFileError`` if the file cannot be read or does not follow the format in every point.
    public init(path: String) throws(ModelFileError) {
        let file = try MappedFile(path: path)
        let header = try file.withBytes { (bytes) throws(ModelFileError) in
            try SafeTensorsHeader(parsing: bytes, file: path)
        }
        file.discard(0..<(header.tensors.first?.byteRange.lowerBound ?? 0))
        self.file = file
        self.metadata = header.metadata
        self.tensors = header.tensors.map {
            TensorView(
                name: $0.name, elementType: $0.elementType, shape: $0.shape, elementCount: $0.elementCount, file: file,
                byteRange: $0.byteRange)
        }
    }
}
