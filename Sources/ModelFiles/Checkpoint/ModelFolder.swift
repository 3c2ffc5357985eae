/// A folder in the layout of Hugging Face repositories, without its tensors.
public struct ModelFolder: Sendable {
    /// The path of the folder.
    public let path: String
    /// `config.json`.
    public let config: ConfigObject
    /// `generation_config.json`, where there is one.
    public let generationConfig: ConfigObject?
    /// `hf_quant_config.json`, which ModelOpt writes.
    public let quantizationConfig: ConfigObject?

    /// Reads the configuration files of a folder.
    ///
    /// - Throws: ``ModelFileError`` if the folder or its `config.json` is missing, or a configuration is not a JSON object.
    public init(path: String) throws(ModelFileError) {
        switch FileSystem.kind(of: path) {
        case .folder: break
        case .missing: throw ModelFileError(.inaccessible, file: path, "no such folder")
        case .file, .other: throw ModelFileError(.inaccessible, file: path, "expected a folder")
        }
        self.path = path
        guard let config = try Self.configuration("config.json", in: path) else {
            throw ModelFileError(.missing, file: path, "the folder has no config.json, so it is not a model")
        }
        self.config = config
        generationConfig = try Self.configuration("generation_config.json", in: path)
        quantizationConfig = try Self.configuration("hf_quant_config.json", in: path)
    }

    /// The path of a file in the folder, such as `tokenizer.json`, or nil if it is not there.
    public func pathOfFile(_ name: String) -> String? {
        let file = path.appendingPathComponent(name)
        return FileSystem.kind(of: file) == .file ? file : nil
    }

    private static func configuration(_ name: String, in path: String) throws(ModelFileError) -> ConfigObject? {
        let file = path.appendingPathComponent(name)
        guard FileSystem.kind(of: file) != .missing else { return nil }
        return try ConfigObject(contentsOf: file)
    }
}
