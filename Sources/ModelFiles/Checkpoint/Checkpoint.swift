/// A model folder with its tensors, mapped into memory.
public struct Checkpoint: Sendable {
    /// The folder and its configuration files.
    public let folder: ModelFolder
    /// All tensors, in the order of the files' names and of the bytes in them.
    public let tensors: [TensorView]
    /// The size of all tensors in bytes.
    public let byteCount: Int

    /// The index of each name in `tensors`.
    private let positions: [String: Int]

    /// Opens `model.safetensors`, or else the files that `model.safetensors.index.json` names, in a model folder.
    ///
    /// - Throws: ``ModelFileError`` if a file is missing or malformed, two files hold a tensor of the same name, or the
    ///   index names a tensor that its file does not hold.
    public init(path: String) throws(ModelFileError) {
        try self.init(folder: ModelFolder(path: path))
    }

    /// Opens the tensors of a model folder; see ``init(path:)``.
    public init(folder: ModelFolder) throws(ModelFileError) {
        let layout = try TensorFiles(of: folder)
        var tensors: [TensorView] = []
        var positions: [String: Int] = [:]
        for path in layout.paths {
            for tensor in try SafeTensors(path: path).tensors {
                if let other = positions.updateValue(tensors.count, forKey: tensor.name) {
                    throw ModelFileError(
                        .malformed, file: path, item: tensor.name.shortenedForMessage,
                        "\(tensors[other].file.path) holds a tensor of the same name")
                }
                tensors.append(tensor)
            }
        }
        try layout.index?.check { name in positions[name].map { tensors[$0].file.path.lastPathComponent } }
        self.folder = folder
        self.tensors = tensors
        self.positions = positions
        // The byte ranges of a file do not overlap, so their sum is at most what the file system holds.
        byteCount = tensors.reduce(0) { $0 + $1.byteRange.count }
    }

    /// The path of the folder.
    public var path: String { folder.path }
    /// `config.json`.
    public var config: ConfigObject { folder.config }
    /// The names of all tensors, in the order of ``tensors``.
    public var tensorNames: [String] { tensors.map(\.name) }

    /// The tensor of this name.
    ///
    /// - Throws: ``ModelFileError`` with code `missing` if there is none, `inaccessible` if its file has been changed
    ///   since it was opened.
    public func tensor(named name: String) throws(ModelFileError) -> TensorView {
        guard let tensor = try tensor(ifPresent: name) else {
            throw ModelFileError(.missing, file: path, item: name.shortenedForMessage, "the model has no such tensor")
        }
        return tensor
    }

    /// The tensor of this name, or nil if there is none.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if its file has been changed since it was opened.
    public func tensor(ifPresent name: String) throws(ModelFileError) -> TensorView? {
        guard let position = positions[name] else { return nil }
        let tensor = tensors[position]
        try tensor.file.checkUnchanged()
        return tensor
    }

    /// Whether there is a tensor of this name.
    public func hasTensor(named name: String) -> Bool { positions[name] != nil }
}
