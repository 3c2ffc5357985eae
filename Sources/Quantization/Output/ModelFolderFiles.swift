import ModelFiles

/// The files of a model folder besides its weights.
struct ModelFolderFiles {
    private let folder: ModelFolder

    init(_ folder: ModelFolder) { self.folder = folder }

    /// Whether the weights are in several files.
    var hasShardIndex: Bool {
        folder.pathOfFile("model.safetensors") == nil && folder.pathOfFile(ShardIndex.fileName) != nil
    }

    /// Writes the configuration with the entries of the quantization.
    func writeConfiguration(_ quantization: QuantizationConfiguration, into target: String) throws {
        let source = try MappedFile(path: folder.config.file)
        guard case .object(var config) = try JSON(parsing: source.bytes) else {
            throw ModelFileError(.malformed, file: source.path, "expected an object")
        }
        extendLifetime(source)
        config["quantization_config"] = quantization.embedded
        try write(.object(config), to: target.appendingPathComponent("config.json"))
        if let file = quantization.separateFile {
            try write(file, to: target.appendingPathComponent("hf_quant_config.json"))
        }
    }

    /// Writes a JSON file with a final newline.
    func write(_ value: JSON, to path: String) throws {
        var file = try OutputFile(creating: path)
        let text = value.text(indented: true) + "\n"
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { bytes in Result { try file.write(bytes) } }
        try result.get()
        try file.finish()
    }

    /// Copies the files that have nothing to do with weights: tokenizer, templates, licence.
    ///
    /// Folders and hidden files are left out; they hold other formats of the weights, and version control's files.
    func copyOthers(into target: String) throws {
        for name in try FileSystem.names(inFolder: folder.path) where !Self.isReplaced(name) {
            guard let path = folder.pathOfFile(name) else { continue }
            let source = try MappedFile(path: path)
            var file = try OutputFile(creating: target.appendingPathComponent(name))
            try file.write(source.bytes)
            extendLifetime(source)
            try file.finish()
        }
    }

    private static func isReplaced(_ name: String) -> Bool {
        let weights = [
            ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".h5",
            ".msgpack", ".onnx", ".onnx_data",
        ]
        return name.hasPrefix(".") || ["config.json", "hf_quant_config.json"].contains(name)
            || weights.contains { name.hasSuffix($0) }
    }
}
