import Kernels
import ModelFiles
import TestSupport
import Testing

@testable import Models

@Suite struct ArchitectureTests {
    /// The specification of a golden model, with some fields of its configuration changed.
    private func specification(_ name: String, _ fields: [String: JSON]) throws -> ModelSpecification {
        let config = try Checkpoint(path: Golden.path("models/" + name)).config
        var members = JSONObject()
        for key in config.keys { members[key] = config[key] }
        for (key, value) in fields { members[key] = value }
        return try ModelSpecification(config: ConfigObject(.object(members), file: "config.json"))
    }

    @Test("a window applies to all layers of a Qwen3 mixture, and from a layer on in the dense models")
    func windows() throws {
        let fields: [String: JSON] = [
            "use_sliding_window": .bool(true), "sliding_window": .integer(3), "max_window_layers": .integer(1),
            "layer_types": .null,
        ]
        let mixture = try specification("qwen3_moe-ct-nvfp4", fields)
        #expect(mixture.layers.allSatisfy { $0.attention.mask == .slidingWindow(3) })
        let dense = try specification("qwen3_dense-bf16", fields)
        #expect(dense.layers.map(\.attention.mask).prefix(2) == [.causal, .slidingWindow(3)])
    }

    @Test("YaRN stretches the context if it says from what")
    func context() throws {
        let stated = try specification("qwen3_dense-bf16", [:]).contextLength
        for (original, expected) in [("32768", 131072), ("4", stated), ("null", stated)] {
            let scaling = try JSON(
                parsing: "{\"rope_type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": \(original)}")
            let fields = ["rope_scaling": scaling, "rope_parameters": .null]
            #expect(try specification("qwen3_dense-bf16", fields).contextLength == expected)
        }
    }

    @Test("gpt-oss reads the slope of its activation")
    func slope() throws {
        for (fields, expected) in [([:], Float(1.702)), (["swiglu_alpha": JSON.number(1.5)], 1.5)] {
            let specification = try specification("gpt_oss-mxfp4", fields)
            guard case .mixture(_, _, let experts, _) = specification.layers[0].feedForward,
                case .clampedSwiglu(let alpha, _) = experts.activation
            else { throw ModelFileError(.mismatched, file: "config.json", "no clamped activation") }
            #expect(alpha == expected)
        }
    }
}
