import ModelFiles
import Quantization
import TestSupport
import Testing

@Suite struct FusedExpertsTests {
    private static let prefix = "model.layers.0.mlp.experts."
    private static let (expertCount, hiddenSize, intermediateSize) = (2, 32, 64)

    private let gateUp = TensorFixture(
        prefix + "gate_up_proj", .bf16, shape: [expertCount, hiddenSize, 2 * intermediateSize])
    private let down = TensorFixture(prefix + "down_proj", .bf16, shape: [expertCount, intermediateSize, hiddenSize])
    private let gateUpBias = TensorFixture(
        prefix + "gate_up_proj_bias", shape: [expertCount, 2 * intermediateSize])
    private let downBias = TensorFixture(prefix + "down_proj_bias", shape: [expertCount, hiddenSize])
    private let router = TensorFixture("model.layers.0.mlp.router.weight", .bf16, shape: [2, 32])
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func quantize(
        _ modelType: String, _ layout: QuantizationScheme.Layout, format: QuantizationScheme.Format = .nvfp4,
        excluding globs: [String] = []
    ) throws -> PackedTensors {
        let source = try folder.makeModel(
            config: #"{"model_type": "\#(modelType)"}"#, tensors: [gateUpBias, downBias, gateUp, down, router])
        let scheme = QuantizationScheme(format: format, layout: layout)
        try CheckpointQuantizer(source: source, scheme: scheme, excluding: globs).write(to: folder.path("out"))
        return try PackedTensors(folder.path("out"))
    }

    /// Some outputs of an expert of a fused tensor `[E, in, out]`, as `[out, in]`.
    private func expected(_ tensor: TensorFixture, expert: Int, outputs: [Int]) -> [Float] {
        let (inputSize, outputSize) = (tensor.shape[1], tensor.shape[2])
        return outputs.flatMap { output in
            (0..<inputSize).map { tensor.bf16Values[(expert * inputSize + $0) * outputSize + output] }
        }
    }

    @Test("splits experts into modules, gate and up as the family orders them", arguments: ["gpt_oss", "llama4_text"])
    func splits(modelType: String) throws {
        let written = try quantize(modelType, .compressedTensors)
        let outputs = Array(0..<2 * Self.intermediateSize)
        let isInterleaved = modelType == "gpt_oss"
        let gate = outputs.filter { isInterleaved ? $0 % 2 == 0 : $0 < Self.intermediateSize }
        let up = outputs.filter { isInterleaved ? $0 % 2 == 1 : $0 >= Self.intermediateSize }
        for expert in 0..<Self.expertCount {
            let module = Self.prefix + "\(expert)."
            let parts = [("gate_proj", gateUp, gateUpBias, gate), ("up_proj", gateUp, gateUpBias, up)]
            for (name, weight, bias, outputs) in parts + [("down_proj", down, downBias, Array(0..<Self.hiddenSize))] {
                let values = try written.nvfp4(module + name)
                #expect(relativeError(values, expected(weight, expert: expert, outputs: outputs)) < 0.12)
                let biases = try written.floats(module + name + ".bias")
                #expect(biases == outputs.map { bias.values[expert * bias.shape[1] + $0] })
            }
            let scales = try ["gate_proj", "up_proj"].map { try written.floats(module + $0 + ".weight_global_scale") }
            #expect(scales[0] == scales[1])
        }
        #expect(!written.checkpoint.hasTensor(named: Self.prefix + "gate_up_proj"))
        #expect(!written.checkpoint.hasTensor(named: Self.prefix + "gate_up_proj_bias"))
        let ignored = try written.checkpoint.config.object("quantization_config").strings("ignore")
        #expect(ignored == ["model.layers.0.mlp.router"])
    }

    @Test("keeps experts fused in ModelOpt's layout", arguments: ["gpt_oss", "llama4"])
    func staysFused(modelType: String) throws {
        let written = try quantize(modelType, .modelOpt)
        #expect(relativeError(try written.nvfp4Experts(gateUp.name), gateUp.bf16Values) < 0.12)
        #expect(relativeError(try written.nvfp4Experts(down.name), down.bf16Values) < 0.12)
        #expect(try written.floats(gateUpBias.name) == gateUpBias.values)
    }

    @Test("splits experts that become MXFP4, in both layouts", arguments: QuantizationScheme.Layout.allCases)
    func mxfp4(layout: QuantizationScheme.Layout) throws {
        let written = try quantize("gpt_oss", layout, format: .mxfp4)
        #expect(!written.checkpoint.hasTensor(named: gateUp.name))
        #expect(try written.floats(Self.prefix + "1.down_proj.bias") == Array(downBias.values[Self.hiddenSize...]))
        let outputs = stride(from: 1, to: 2 * Self.intermediateSize, by: 2)
        let values = try written.mxfp4(Self.prefix + "1.up_proj")
        #expect(relativeError(values, expected(gateUp, expert: 1, outputs: Array(outputs))) < 0.15)
    }

    @Test("leaves excluded experts and their biases fused", arguments: ["*.experts", "*experts.gate_up_proj"])
    func excluded(glob: String) throws {
        let written = try quantize(
            "gpt_oss", .compressedTensors, excluding: glob == "*.experts" ? ["*experts.gate_up_proj"] : [glob])
        #expect(try written.floats(gateUp.name) == gateUp.bf16Values)
        #expect(try written.floats(gateUpBias.name) == gateUpBias.values)
        #expect(written.checkpoint.hasTensor(named: Self.prefix + "0.down_proj.weight_packed"))
    }

    @Test("refuses fused experts of a family whose order it does not know")
    func unknownOrder() throws {
        #expect(throws: ModelFileError.self) { try quantize("qwen3_vl_moe_text", .modelOpt) }
    }
}

extension TensorFixture {
    /// The values that the file holds.
    var bf16Values: [Float] { values.map { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) } }
}
