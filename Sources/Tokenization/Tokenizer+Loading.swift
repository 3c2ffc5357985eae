public import ModelFiles

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Tokenizer {
    /// Reads a tokenizer from the value of a `tokenizer.json`.
    ///
    /// Supported are byte-level vocabularies: the model `BPE`; the normalizers `NFC` and `NFD`; the pre-tokenizers
    /// `Split`, `Digits` and `ByteLevel`; the decoder `ByteLevel`; the post-processors `ByteLevel` and
    /// `TemplateProcessing`; and `Sequence`s of them. `truncation` and `padding` are ignored, as `transformers` does
    /// unless it is told otherwise.
    ///
    /// - Parameters:
    ///   - json: the parsed file.
    ///   - file: its path, for messages.
    /// - Throws: ``ModelFileError`` with the field, what was found and what is supported.
    public init(json: JSON, file: String) throws(ModelFileError) {
        let root = JSONField(value: json, path: "", file: file)
        let normalizer = try Normalizer(try root.optionalMember("normalizer"))
        let addedTokens = try AddedTokens(try root.optionalMember("added_tokens"), normalizer: normalizer)
        let encoder = try BytePairEncoder(try root.member("model"), addedTokens)
        try ByteLevelDecoder.check(try root.member("decoder"))
        self.init(
            addedTokens: addedTokens, normalizer: normalizer,
            preTokenizer: try PreTokenizer(try root.member("pre_tokenizer")), encoder: encoder,
            template: try SpecialTokenTemplate(try root.optionalMember("post_processor"), encoder.vocabulary))
    }

    /// Reads a `tokenizer.json`.
    ///
    /// - Throws: ``ModelFileError``, also if the file cannot be read, is longer than `JSONLimits` allows or is not JSON.
    public init(contentsOfFile path: String) throws(ModelFileError) {
        let bytes = try Self.contents(ofFile: path)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try JSON(parsing: bytes) }
        }
        switch result {
        case .success(let json): try self.init(json: json, file: path)
        case .failure(let error): throw ModelFileError(.malformed, file: path, error.description)
        }
    }

    /// The bytes of a file.
    static func contents(ofFile path: String) throws(ModelFileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw inaccessible(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw inaccessible(path) }
        let limit = JSONLimits().byteCount
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else {
            throw ModelFileError(.malformed, file: path, "expected a file of at most \(limit) bytes")
        }
        let byteCount = Int(status.st_size)
        var errorNumber: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            while count < byteCount {
                let readCount = Self.read(descriptor, into: buffer, from: count)
                if readCount < 0 { errorNumber = errno }
                if readCount <= 0 { break }
                count += readCount
            }
        }
        guard errorNumber == 0 else { throw inaccessible(path, errorNumber) }
        return bytes
    }

    private static func read(_ descriptor: Int32, into buffer: UnsafeMutableBufferPointer<UInt8>, from count: Int)
        -> Int
    {
        let rest = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[count...]))
        #if canImport(Glibc)
            return Glibc.read(descriptor, rest.baseAddress, rest.count)
        #elseif canImport(Darwin)
            return Darwin.read(descriptor, rest.baseAddress, rest.count)
        #endif
    }

    private static func inaccessible(_ path: String, _ errorNumber: Int32 = errno) -> ModelFileError {
        ModelFileError(.inaccessible, file: path, "cannot be read: \(String(cString: strerror(errorNumber)))")
    }
}
