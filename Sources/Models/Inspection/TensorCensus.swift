public import ModelFiles
import OrderedCollections

/// The tensors of a file or model counted by type.
public struct TensorCensus {
    private struct Entry {
        var tensorCount = 0
        var byteCount = 0
    }

    private var entries: OrderedDictionary<String, Entry> = [:]
    private var parameterCount = 0

    /// Counts tensors.
    ///
    /// Two FP4 codes of a packed byte are two parameters; scales are none.
    public init(_ tensors: [TensorView]) {
        let names = Set(tensors.map(\.name))
        for tensor in tensors {
            entries[tensor.elementType.rawValue, default: Entry()].tensorCount += 1
            entries[tensor.elementType.rawValue, default: Entry()].byteCount += tensor.bytes.count
            if Self.isScale(tensor.name) { continue }
            parameterCount += tensor.elementCount * (Self.isPacked(tensor, among: names) ? 2 : 1)
        }
        entries.sort { $0.value.byteCount > $1.value.byteCount }
    }

    /// The census as an object: `parameters`, `bytes`, and `tensors` by type.
    public var json: JSON {
        var types: JSONObject = [:]
        for (type, entry) in entries {
            types[type] = .object(["tensors": .integer(entry.tensorCount), "bytes": .integer(entry.byteCount)])
        }
        return .object([
            "parameters": .integer(parameterCount),
            "bytes": .integer(entries.values.reduce(0) { $0 + $1.byteCount }),
            "tensors": .object(types),
        ])
    }

    private static let scaleEndings = ["_scale", "_scale_2", "_scales", "scale_inv"]

    private static func isScale(_ name: String) -> Bool { scaleEndings.contains { name.hasSuffix($0) } }

    private static func isPacked(_ tensor: TensorView, among names: Set<String>) -> Bool {
        guard tensor.elementType == .u8 else { return false }
        let name = tensor.name
        if name.hasSuffix("_blocks") || name.hasSuffix(".weight_packed") { return true }
        return names.contains(name + "_scale") || names.contains(name + "_weight_scale")
    }
}
