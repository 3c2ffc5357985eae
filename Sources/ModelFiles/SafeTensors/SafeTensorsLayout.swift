/// Where the tensors of a file that is about to be written will lie.
struct SafeTensorsLayout {
    /// The tensors in the order of their bytes; the ranges count from the end of the header.
    private(set) var tensors: [(declaration: SafeTensorsWriter.Declaration, byteRange: Range<Int>)] = []

    /// Lays out tensors without gaps, and refuses what a reader would refuse.
    init(of declarations: [SafeTensorsWriter.Declaration], file: String) throws(ModelFileError) {
        var offset = 0
        for tensor in declarations {
            func failure(_ message: String) -> ModelFileError {
                ModelFileError(.mismatched, file: file, item: tensor.name.shortenedForMessage, message)
            }
            guard (1...SafeTensorsHeader.nameLengthLimit).contains(tensor.name.utf8.count),
                tensor.name != SafeTensorsHeader.metadataKey
            else { throw failure("no tensor can have this name") }
            guard tensor.shape.count <= SafeTensorsHeader.rankLimit else {
                throw failure("the shape \(tensor.shape) has more than \(SafeTensorsHeader.rankLimit) dimensions")
            }
            guard let size = TensorSize(tensor.elementType, shape: tensor.shape) else {
                throw failure("\(tensor.elementType.rawValue) \(tensor.shape) has no size in whole bytes")
            }
            let alignment = max(1, tensor.elementType.bitCount / 8)
            guard offset % alignment == 0 else {
                throw failure("begins at byte \(offset), not at a multiple of \(alignment); put wider types first")
            }
            let (end, overflow) = offset.addingReportingOverflow(size.byteCount)
            guard !overflow else { throw failure("all tensors together have too many bytes") }
            tensors.append((tensor, offset..<end))
            offset = end
        }
    }

    /// The length and the JSON of the header, padded with spaces so that the tensors begin at a multiple of 8 bytes.
    func header(metadata: [String: String], file: String) throws(ModelFileError) -> [UInt8] {
        var members = JSONObject()
        if !metadata.isEmpty {
            var strings = JSONObject()
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { strings[key] = .string(value) }
            members[SafeTensorsHeader.metadataKey] = .object(strings)
        }
        for (tensor, range) in tensors {
            let description: JSONObject = [
                "dtype": .string(tensor.elementType.rawValue), "shape": .array(tensor.shape.map { .integer($0) }),
                "data_offsets": .array([.integer(range.lowerBound), .integer(range.upperBound)]),
            ]
            guard members.updateValue(.object(description), forKey: tensor.name) == nil else {
                throw ModelFileError(
                    .mismatched, file: file, item: tensor.name.shortenedForMessage, "two tensors have this name")
            }
        }
        var text = Array(JSON.object(members).text().utf8)
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
        guard text.count <= SafeTensorsHeader.byteCountLimit else {
            throw ModelFileError(
                .mismatched, file: file,
                "the header would have \(text.count) bytes, more than the \(SafeTensorsHeader.byteCountLimit) allowed")
        }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }
}
