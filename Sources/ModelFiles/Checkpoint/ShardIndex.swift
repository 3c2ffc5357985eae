/// `model.safetensors.index.json`: which file holds which tensor of a model that is split into several files.
public struct ShardIndex: Sendable {
    /// The name of the file in a model folder.
    public static let fileName = "model.safetensors.index.json"

    /// The path of the index.
    public let file: String
    /// The names of the files, in ascending order.
    public let shards: [String]
    /// The tensors and the names of their files, in the order of the index.
    public let weightMap: [(tensor: String, shard: String)]

    /// Reads the index at `path`.
    ///
    /// - Throws: ``ModelFileError`` if it is malformed, or names a file outside its folder.
    public init(path: String) throws(ModelFileError) {
        let map = try ConfigObject(contentsOf: path).object("weight_map")
        var weightMap: [(tensor: String, shard: String)] = []
        for tensor in map.keys {
            let shard = try map.string(tensor)
            guard Self.isPlainFileName(shard) else {
                throw map.error(
                    .malformed, tensor,
                    "expected the name of a .safetensors file in the same folder, found \(shard.quotedForMessage)")
            }
            weightMap.append((tensor, shard))
        }
        guard !weightMap.isEmpty else {
            throw ModelFileError(.malformed, file: path, item: "weight_map", "names no tensor")
        }
        self.file = path
        self.shards = Set(weightMap.map(\.shard)).sorted()
        self.weightMap = weightMap
    }

    /// Makes sure that every tensor of the index is in the file that the index names.
    ///
    /// - Parameter shardOfTensor: the name of the file that holds a tensor, or nil.
    /// - Throws: ``ModelFileError`` with code `missing` that names the first tensor that is elsewhere, and their number.
    func check(shardOfTensor: (String) -> String?) throws(ModelFileError) {
        let misplaced = weightMap.filter { shardOfTensor($0.tensor) != $0.shard }
        guard let first = misplaced.first else { return }
        let others = misplaced.count > 1 ? "; so are \(misplaced.count - 1) other tensors" : ""
        let place = shardOfTensor(first.tensor).map { "in \($0)" } ?? "in no file"
        throw ModelFileError(
            .missing, file: file, item: first.tensor.shortenedForMessage,
            "expected in \(first.shard), but it is \(place)\(others)")
    }

    private static func isPlainFileName(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && name.utf8.count <= 255 && !name.hasPrefix(".")
            && name.unicodeScalars.allSatisfy { $0 != "/" && $0 != "\\" && $0.properties.generalCategory != .control }
    }
}
