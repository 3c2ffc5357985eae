public import ArgumentParser
public import Benchmarking
import Kernels

/// The layer that is measured.
struct LayerShapeOptions: ParsableArguments {
    /// The shapes that can be asked for.
    enum Name: String, ExpressibleByArgument, CaseIterable {
        case scout
        case qwen330BA3B = "qwen3-30b-a3b"
        case gptOSS120B = "gpt-oss-120b"
        case deepSeekV3 = "deepseek-v3"
        case custom
    }

    @Option(help: "The shape of the layer; custom takes the sizes below.")
    var shape: Name = .scout

    @Option(parsing: .unconditional, help: ArgumentHelp("Hidden size of a custom layer.", valueName: "n"))
    var hiddenSize: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Intermediate size of one expert of a custom layer.", valueName: "n"))
    var intermediateSize: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Experts of a custom layer.", valueName: "n"))
    var experts: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Experts of a token in a custom layer.", valueName: "n"))
    var topK: Int?

    @Option(help: "Weight format of a custom layer. (default: nvfp4)")
    var format: LayerShape.Format?

    func validate() throws { _ = try layerShape() }

    /// The shape that the options describe.
    func layerShape() throws -> LayerShape {
        switch shape {
        case .scout: return try named(.scout)
        case .qwen330BA3B: return try named(.qwen330BA3B)
        case .gptOSS120B: return try named(.gptOSS120B)
        case .deepSeekV3: return try named(.deepSeekV3)
        case .custom:
            let format = format ?? .nvfp4
            let experts = try size("experts", experts, in: 1...4096)
            return LayerShape(
                name: shape.rawValue,
                hiddenSize: try size("hidden-size", hiddenSize, in: 32...65536, multipleOf: format.blockSize),
                intermediateSize: try size(
                    "intermediate-size", intermediateSize, in: 32...65536, multipleOf: format.blockSize),
                expertCount: experts,
                routing: Routing(
                    topK: try size("top-k", topK, in: 1...experts), score: .softmax(renormalized: true),
                    weightPlacement: .output),
                format: format)
        }
    }

    private func named(_ shape: LayerShape) throws -> LayerShape {
        let sizes = [
            ("hidden-size", hiddenSize), ("intermediate-size", intermediateSize), ("experts", experts), ("top-k", topK),
        ]
        for (name, value) in sizes where value != nil { throw ValidationError("--\(name) needs --shape custom.") }
        if format != nil { throw ValidationError("--format needs --shape custom.") }
        return shape
    }

    private func size(
        _ name: String, _ value: Int?, in range: ClosedRange<Int>, multipleOf factor: Int = 1
    ) throws -> Int {
        guard let value else { throw ValidationError("--shape custom needs --\(name).") }
        guard range.contains(value) else {
            throw ValidationError("--\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
        guard value.isMultiple(of: factor) else {
            throw ValidationError("--\(name): expected a multiple of \(factor), found \(value)")
        }
        return value
    }
}

extension LayerShape.Format: ExpressibleByArgument {}
