import FP4
import ModelFiles
import TestSupport

/// A tensor of a model that a test makes up.
struct TensorFixture {
    let name: String
    let elementType: ElementType
    let shape: [Int]
    let values: [Float]

    init(_ name: String, _ elementType: ElementType = .f32, shape: [Int], values: [Float]) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.values = values
    }

    /// A tensor of normally distributed values that depend on its name only.
    init(_ name: String, _ elementType: ElementType = .f32, shape: [Int]) {
        var random = SeededRandom(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        self.init(
            name, elementType, shape: shape, values: (0..<shape.reduce(1, *)).map { _ in random.normal() * 0.02 })
    }

    /// The bytes of the tensor; BF16 by truncation.
    var bytes: [UInt8] {
        switch elementType {
        case .bf16: values.flatMap { [UInt8(truncatingIfNeeded: $0.bitPattern >> 16), UInt8($0.bitPattern >> 24)] }
        case .f16: values.flatMap { value in withUnsafeBytes(of: FP16(value).bits) { Array($0) } }
        case .f32: values.flatMap { value in withUnsafeBytes(of: value.bitPattern) { Array($0) } }
        default: [UInt8](repeating: 0, count: values.count * elementType.bitCount / 8)
        }
    }
}

extension TemporaryFolder {
    /// Writes a model folder of these tensors, by file, and returns its path.
    func makeModel(
        _ name: String = "source", config: String = #"{"model_type": "llama"}"#, shards: [String: [TensorFixture]]
    ) throws -> String {
        try makeFolder(name)
        try write(config, to: name + "/config.json")
        for (file, tensors) in shards {
            var writer = try SafeTensorsWriter(
                path: path("\(name)/\(file)"),
                tensors: tensors.map { .init(name: $0.name, elementType: $0.elementType, shape: $0.shape) })
            for tensor in tensors {
                let bytes = tensor.bytes
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
                defer { copy.deallocate() }
                copy.copyBytes(from: bytes)
                try writer.append(UnsafeRawBufferPointer(copy))
            }
            try writer.finish()
        }
        if shards["model.safetensors"] == nil {
            let places = shards.flatMap { file, tensors in tensors.map { "\"\($0.name)\": \"\(file)\"" } }
            try write(
                "{\"weight_map\": {\(places.joined(separator: ", "))}}", to: name + "/" + ShardIndex.fileName)
        }
        return path(name)
    }

    /// Writes a model folder of one file.
    func makeModel(
        _ name: String = "source", config: String = #"{"model_type": "llama"}"#, tensors: [TensorFixture]
    ) throws -> String {
        try makeModel(name, config: config, shards: ["model.safetensors": tensors])
    }
}
