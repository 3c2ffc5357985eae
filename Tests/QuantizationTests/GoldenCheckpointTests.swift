import FP4
import ModelFiles
import Quantization
import TestSupport
import Testing

/// Against checkpoints that ModelOpt and llm-compressor wrote from the same weights.
@Suite struct GoldenCheckpointTests {
    struct Pair: CustomTestStringConvertible {
        let source: String
        let golden: String
        var format = QuantizationScheme.Format.nvfp4
        let layout: QuantizationScheme.Layout

        var testDescription: String { golden }
    }

    static let mxfp4Pair = Pair(
        source: "llama_dense-bf16", golden: "llama_dense-modelopt-mxfp4-default", format: .mxfp4, layout: .modelOpt)
    static let modelOptPairs = [
        Pair(source: "llama_dense-bf16", golden: "llama_dense-modelopt-nvfp4-default-kvfp8", layout: .modelOpt),
        Pair(source: "llama4_maverick-bf16", golden: "llama4_maverick-modelopt-nvfp4-default", layout: .modelOpt),
        mxfp4Pair,
    ]
    static let compressedTensorsPairs = [
        Pair(source: "llama_dense-bf16", golden: "llama_dense-ct-nvfp4a16", layout: .compressedTensors),
        Pair(source: "qwen3_dense-bf16", golden: "qwen3_dense-ct-nvfp4", layout: .compressedTensors),
    ]

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func quantize(_ pair: Pair) throws -> PackedTensors {
        let scheme = QuantizationScheme(format: pair.format, layout: pair.layout)
        try CheckpointQuantizer(source: Golden.path("models/" + pair.source), scheme: scheme)
            .write(to: folder.path("out"))
        return try PackedTensors(folder.path("out"))
    }

    private func golden(_ pair: Pair) throws -> PackedTensors {
        try PackedTensors(Golden.path("models/" + pair.golden))
    }

    /// What calibration adds to the published layouts.
    private static func isCalibrated(_ name: String) -> Bool {
        ["input_scale", "input_global_scale", "k_scale", "v_scale"].contains { name.hasSuffix($0) }
    }

    @Test("has the tensors of ModelOpt's own export, byte for byte", arguments: modelOptPairs)
    func modelOptTensors(pair: Pair) throws {
        let (written, golden) = (try quantize(pair), try golden(pair))
        #expect(written.declarations == golden.declarations.filter { !Self.isCalibrated($0.key) })
        for name in written.checkpoint.tensorNames {
            #expect(try written.bytes(name) == golden.bytes(name), "\(name)")
        }
    }

    @Test("has the tensors of llm-compressor's export", arguments: compressedTensorsPairs)
    func compressedTensors(pair: Pair) throws {
        let (written, golden) = (try quantize(pair), try golden(pair))
        #expect(written.declarations == golden.declarations.filter { !Self.isCalibrated($0.key) })
        let kept = written.checkpoint.tensors.filter { $0.elementType == .bf16 }
        #expect(!kept.isEmpty)
        for tensor in kept { #expect(try written.bytes(tensor.name) == golden.bytes(tensor.name), "\(tensor.name)") }
    }

    @Test("excludes the modules that ModelOpt excludes", arguments: modelOptPairs)
    func exclusions(pair: Pair) throws {
        let (written, golden) = (try quantize(pair).checkpoint.folder, try golden(pair).checkpoint.folder)
        let list = try #require(written.quantizationConfig).object("quantization").strings("exclude_modules")
        #expect(try list == #require(golden.quantizationConfig).object("quantization").strings("exclude_modules"))
        #expect(try list == written.config.object("quantization_config").strings("ignore"))
        let config = try QuantizationConfig(folder: written)
        #expect(config.algorithm == (pair.format == .nvfp4 ? .nvfp4WeightOnly : .mxfp4))
        #expect(config.notes.isEmpty)
    }

    @Test("has ModelOpt's configuration of MXFP4")
    func modelOptConfiguration() throws {
        let (written, golden) = (try quantize(Self.mxfp4Pair).checkpoint, try golden(Self.mxfp4Pair).checkpoint)
        #expect(written.config["quantization_config"] != nil)
        #expect(written.config["quantization_config"] == golden.config["quantization_config"])
        let own = try #require(written.folder.quantizationConfig)
        let expected = try #require(golden.folder.quantizationConfig)
        #expect(own.keys == expected.keys)
        for key in own.keys { #expect(own[key] == expected[key]) }
    }

    @Test("has the configuration of llm-compressor")
    func configuration() throws {
        let pair = Self.compressedTensorsPairs[0]
        var written = try quantize(pair).checkpoint.config["quantization_config"]
        var golden = try golden(pair).checkpoint.config["quantization_config"]
        for key in ["version"] {
            written = written?.without(key)
            golden = golden?.without(key)
        }
        #expect(written != nil)
        #expect(written == golden)
    }

    @Test("is no less accurate than llm-compressor", arguments: compressedTensorsPairs)
    func accuracy(pair: Pair) throws {
        let (written, golden) = (try quantize(pair), try golden(pair))
        let source = try PackedTensors(Golden.path("models/" + pair.source))
        for module in ["self_attn.q_proj", "mlp.down_proj"].map({ "model.layers.0." + $0 }) {
            let weights = try source.floats(module + ".weight")
            let error = relativeError(try written.nvfp4(module), weights)
            #expect(error < 0.11)
            #expect(error < 1.01 * relativeError(try golden.nvfp4(module), weights))
        }
    }

    @Test("is expanded by FP4 to the same values")
    func expansion() throws {
        let written = try quantize(Self.compressedTensorsPairs[0])
        let module = "model.layers.1.mlp.down_proj"
        let (codes, scales) = (
            try written.bytes(module + ".weight_packed"), try written.bytes(module + ".weight_scale")
        )
        let divisor = try written.floats(module + ".weight_global_scale")[0]
        var values = [Float](repeating: .nan, count: 2 * codes.count)
        codes.withUnsafeBytes { codes in
            scales.withUnsafeBytes { scales in
                values.withUnsafeMutableBufferPointer {
                    NVFP4.dequantize(codes: codes, scales: scales, globalScale: 1 / divisor, into: $0)
                }
            }
        }
        #expect(values == (try written.nvfp4(module)))
    }
}

extension JSON {
    fileprivate func without(_ key: String) -> JSON {
        guard case .object(var members) = self else { return self }
        members[key] = nil
        return .object(members)
    }
}
