/// Which files of a model folder hold its tensors.
struct TensorFiles {
    /// The paths of the files.
    let paths: [String]
    /// The index, if there are several.
    let index: ShardIndex?

    /// As Hugging Face's loaders do, prefers `model.safetensors` to an index.
    init(of folder: ModelFolder) throws(ModelFileError) {
        if let path = folder.pathOfFile("model.safetensors") {
            paths = [path]
            index = nil
        } else if let path = folder.pathOfFile(ShardIndex.fileName) {
            let index = try ShardIndex(path: path)
            let missing = index.shards.filter { folder.pathOfFile($0) == nil }
            guard missing.isEmpty else { throw Self.missing(missing, of: index) }
            paths = index.shards.map { folder.path.appendingPathComponent($0) }
            self.index = index
        } else {
            throw try Self.noTensors(in: folder)
        }
    }

    private static func missing(_ shards: [String], of index: ShardIndex) -> ModelFileError {
        let names = shards.prefix(10).map(\.shortenedForMessage).joined(separator: ", ")
        let more = shards.count > 10 ? " and \(shards.count - 10) more" : ""
        return ModelFileError(
            .missing, file: index.file,
            "\(shards.count) of its \(index.shards.count) files are not in the folder: \(names)\(more)")
    }

    private static func noTensors(in folder: ModelFolder) throws(ModelFileError) -> ModelFileError {
        let others = try FileSystem.names(inFolder: folder.path).filter { name in
            [".safetensors", ".bin", ".gguf", ".pth", ".pt"].contains { name.hasSuffix($0) }
        }
        let found =
            others.isEmpty ? "" : "; found " + others.prefix(3).map(\.shortenedForMessage).joined(separator: ", ")
        return ModelFileError(
            .missing, file: folder.path, "expected model.safetensors or \(ShardIndex.fileName) in the folder\(found)")
    }
}
