/// One member of a safetensors header, before it is known to be sound.
struct HeaderEntry {
    let file: String
    let name: String
    let value: JSON

    /// The tensor that this member describes; `dataStart` is where data offset 0 lies in the file.
    func tensor(dataStart: Int) throws(ModelFileError) -> SafeTensorsHeader.Tensor {
        guard (1...SafeTensorsHeader.nameLengthLimit).contains(name.utf8.count) else {
            throw failure("a tensor's name must have 1 to \(SafeTensorsHeader.nameLengthLimit) bytes")
        }
        guard case .object = value else { throw failure("expected an object, found \(value.typeName)") }
        let elementType = try elementType()
        let shape = try integers("shape", countLimit: SafeTensorsHeader.rankLimit)
        let offsets = try integers("data_offsets", countLimit: 2)
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw failure("data_offsets must be a begin and an end, found \(offsets)")
        }
        guard let size = TensorSize(elementType, shape: shape) else {
            throw failure("\(elementType.rawValue) \(shape) has no size in whole bytes that can be counted")
        }
        guard size.byteCount == offsets[1] - offsets[0] else {
            throw failure(
                "\(elementType.rawValue) \(shape) has \(size.byteCount) bytes, "
                    + "but its data_offsets span \(offsets[1] - offsets[0])")
        }
        let (end, endOverflow) = offsets[1].addingReportingOverflow(dataStart)
        guard !endOverflow else { throw failure("the end \(offsets[1]) of its data is out of range") }
        return SafeTensorsHeader.Tensor(
            name: name, elementType: elementType, shape: shape, elementCount: size.elementCount,
            byteRange: dataStart + offsets[0]..<end)
    }

    /// The strings of the `__metadata__` member.
    func metadata() throws(ModelFileError) -> [String: String] {
        guard case .object(let members) = value else { throw failure("expected an object, found \(value.typeName)") }
        var metadata: [String: String] = [:]
        for (key, value) in members {
            guard case .string(let text) = value else {
                throw failure("\(key.quotedForMessage): expected a string, found \(value.typeName)")
            }
            metadata[key] = text
        }
        return metadata
    }

    private func elementType() throws(ModelFileError) -> ElementType {
        guard let dtype = value["dtype"] else { throw failure("has no dtype") }
        guard case .string(let text) = dtype else { throw failure("dtype: expected a string, found \(dtype.typeName)") }
        guard let elementType = ElementType(rawValue: text) else {
            throw ModelFileError(.unsupported, file: file, item: item, "unknown dtype \(text.quotedForMessage)")
        }
        return elementType
    }

    private func integers(_ key: String, countLimit: Int) throws(ModelFileError) -> [Int] {
        guard let value = value[key] else { throw failure("has no \(key)") }
        guard case .array(let elements) = value else {
            throw failure("\(key): expected an array, found \(value.typeName)")
        }
        guard elements.count <= countLimit else {
            throw failure("\(key): expected at most \(countLimit) numbers, found \(elements.count)")
        }
        var integers: [Int] = []
        integers.reserveCapacity(elements.count)
        for element in elements {
            guard case .integer(let integer) = element, integer >= 0 else {
                throw failure("\(key): expected integers of at least 0")
            }
            integers.append(integer)
        }
        return integers
    }

    private var item: String { name.shortenedForMessage }

    private func failure(_ message: String) -> ModelFileError {
        ModelFileError(.malformed, file: file, item: item, message)
    }
}
