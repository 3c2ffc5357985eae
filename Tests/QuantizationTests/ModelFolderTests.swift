import ModelFiles
import Quantization
import TestSupport
import Testing

/// The folder as a whole: which files, and what happens when something fails.
@Suite struct ModelFolderTests {
    struct Interruption: Error {}

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let shards: [String: [TensorFixture]] = [
        "model-00001-of-00002.safetensors": [
            .init("model.layers.0.self_attn.q_proj.weight", .bf16, shape: [32, 64]),
            .init("model.layers.0.self_attn.q_proj.bias", .bf16, shape: [32]),
        ],
        "model-00002-of-00002.safetensors": [
            // Larger than q_proj's, whose scale it shares from another file.
            .init(
                "model.layers.0.self_attn.k_proj.weight", shape: [16, 64],
                values: (0..<1024).map { Float($0) / 512 - 1 }),
            .init("model.layers.0.mlp.down_proj.weight", .f16, shape: [16, 32]),
            .init("lm_head.weight", .bf16, shape: [16, 64]),
        ],
    ]

    private func quantizer(
        _ source: String, _ format: QuantizationScheme.Format = .nvfp4,
        _ layout: QuantizationScheme.Layout = .compressedTensors
    ) throws -> CheckpointQuantizer {
        try CheckpointQuantizer(source: source, scheme: QuantizationScheme(format: format, layout: layout))
    }

    private func code(_ body: () throws -> Void) -> ModelFileError.Code? {
        do {
            try body()
        } catch let error as ModelFileError {
            return error.code
        } catch {}
        return nil
    }

    @Test("keeps the files that a checkpoint is split into, and indexes them")
    func shards() throws {
        let source = try folder.makeModel(shards: Self.shards)
        let quantizer = try quantizer(source)
        try quantizer.write(to: folder.path("out"))
        let index = try ShardIndex(path: folder.path("out/" + ShardIndex.fileName))
        #expect(index.shards == Self.shards.keys.sorted())
        // Opening it checks that the index names every tensor's file.
        let written = try PackedTensors(folder.path("out"))
        #expect(Set(index.weightMap.map(\.tensor)) == Set(written.checkpoint.tensorNames))
        let metadata = try ConfigObject(contentsOf: index.file).object("metadata")
        #expect(try metadata.integer("total_size") == written.checkpoint.byteCount)
        #expect(quantizer.summary.byteCount == written.checkpoint.byteCount)
        let scales = try ["q_proj", "k_proj"].map {
            try written.floats("model.layers.0.self_attn.\($0).weight_global_scale")
        }
        #expect(scales[0] == scales[1])
    }

    @Test("quantizes FP32, FP16 and BF16", arguments: QuantizationScheme.Format.allCases)
    func precisions(format: QuantizationScheme.Format) throws {
        let source = try folder.makeModel(shards: Self.shards)
        try quantizer(source, format).write(to: folder.path("out"))
        let (written, original) = (try PackedTensors(folder.path("out")), try PackedTensors(source))
        for module in ["self_attn.q_proj", "self_attn.k_proj", "mlp.down_proj"] {
            let name = "model.layers.0." + module
            let values = format == .nvfp4 ? try written.nvfp4(name) : try written.mxfp4(name)
            #expect(relativeError(values, try original.floats(name + ".weight")) < 0.14, "\(name)")
        }
    }

    @Test("writes the same bytes again", arguments: QuantizationScheme.Layout.allCases)
    func determinism(layout: QuantizationScheme.Layout) throws {
        let source = try folder.makeModel(shards: Self.shards)
        for name in ["a", "b"] { try quantizer(source, .nvfp4, layout).write(to: folder.path(name)) }
        let names = try FileSystem.names(inFolder: folder.path("a"))
        #expect(try names == FileSystem.names(inFolder: folder.path("b")))
        for name in names {
            let (first, second) = (
                try MappedFile(path: folder.path("a/" + name)), try MappedFile(path: folder.path("b/" + name))
            )
            #expect(first.bytes.elementsEqual(second.bytes), "\(name)")
            extendLifetime(first)
            extendLifetime(second)
        }
    }

    @Test("copies the other files, but no weights")
    func otherFiles() throws {
        let source = try folder.makeModel(tensors: [.init("a.proj.weight", shape: [16, 16])])
        for name in ["tokenizer.json", "LICENSE", "README.md", "modeling.py", "pytorch_model.bin", ".gitattributes"] {
            try folder.write(name, to: "source/" + name)
        }
        try folder.makeFolder("source/original")
        try quantizer(source, .nvfp4, .modelOpt).write(to: folder.path("out/"))
        #expect(
            try FileSystem.names(inFolder: folder.path("out")) == [
                "LICENSE", "README.md", "config.json", "hf_quant_config.json", "model.safetensors", "modeling.py",
                "tokenizer.json",
            ])
        let copy = try MappedFile(path: folder.path("out/LICENSE"))
        #expect(copy.bytes.elementsEqual("LICENSE".utf8))
        extendLifetime(copy)
    }

    @Test("keeps the configuration's other entries in their order")
    func configuration() throws {
        let source = try folder.makeModel(
            config: #"{"z": 1.5, "model_type": "llama", "a": null}"#,
            tensors: [.init("a.proj.weight", shape: [16, 16])])
        try quantizer(source).write(to: folder.path("out"))
        let file = try MappedFile(path: folder.path("out/config.json"))
        guard case .object(let members) = try JSON(parsing: file.bytes) else { return }
        extendLifetime(file)
        #expect(members.keys == ["z", "model_type", "a", "quantization_config"])
        #expect(members["z"] == .number(1.5) && members["a"] == .null)
    }

    @Test("reports progress up to the end")
    func progress() throws {
        let source = try folder.makeModel(shards: Self.shards)
        var reports: [(count: Int, total: Int)] = []
        try quantizer(source).write(to: folder.path("out")) { reports.append(($0, $1)) }
        #expect(reports.map(\.count) == reports.map(\.count).sorted())
        #expect(reports.last.map { $0.count == $0.total } == true)
    }

    @Test("refuses a destination that exists")
    func existingDestination() throws {
        let source = try folder.makeModel(tensors: [.init("a.proj.weight", shape: [16, 16])])
        try folder.makeFolder("out")
        let quantizer = try quantizer(source)
        #expect(code { try quantizer.write(to: folder.path("out")) } == .inaccessible)
        #expect(try FileSystem.names(inFolder: folder.path) == ["out", "source"])
        #expect(try FileSystem.names(inFolder: folder.path("out")).isEmpty)
    }

    @Test("refuses a destination that cannot be written")
    func unwritableDestination() throws {
        let source = try folder.makeModel(tensors: [.init("a.proj.weight", shape: [16, 16])])
        let quantizer = try quantizer(source)
        #expect(code { try quantizer.write(to: folder.path("no/such/out")) } == .inaccessible)
        #expect(code { try quantizer.write(to: folder.path("source/config.json/out")) } == .inaccessible)
    }

    @Test("refuses a missing source and one that lacks a file")
    func missingSource() throws {
        #expect(code { _ = try quantizer(folder.path("nowhere")) } == .inaccessible)
        let source = try folder.makeModel(shards: Self.shards)
        try folder.write(
            #"{"weight_map": {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00009.safetensors"}}"#,
            to: "source/" + ShardIndex.fileName)
        #expect(code { _ = try quantizer(source) } == .missing)
    }

    @Test(
        "refuses a model that is quantized already",
        arguments: [
            "llama_dense-ct-nvfp4a16", "gpt_oss-mxfp4", "gpt_oss-modelopt-nvfp4-experts-only",
        ])
    func quantizedSource(name: String) throws {
        #expect(code { _ = try quantizer(Golden.path("models/" + name)) } == .unsupported)
    }

    @Test("refuses packed weights that no configuration mentions")
    func packedSource() throws {
        let source = try folder.makeModel(tensors: [
            .init("a.proj.weight", shape: [16, 16]), .init("b.proj.weight", .f8E4M3, shape: [16, 16]),
        ])
        #expect(code { _ = try quantizer(source) } == .unsupported)
    }

    @Test(
        "refuses NaN and infinity, names the tensor, and leaves nothing behind",
        arguments: [.nan, .infinity] as [Float])
    func notFinite(value: Float) throws {
        var values = [Float](repeating: 1, count: 256)
        values[200] = -value
        let source = try folder.makeModel(tensors: [
            .init("a.proj.weight", shape: [16, 16]), .init("b.proj.weight", shape: [16, 16], values: values),
        ])
        let quantizer = try quantizer(source)
        let error = #expect(throws: ModelFileError.self) { try quantizer.write(to: folder.path("out")) }
        #expect(error?.item == "b.proj.weight")
        #expect(try FileSystem.names(inFolder: folder.path) == ["source"])
        try CheckpointQuantizer(
            source: source, scheme: QuantizationScheme(format: .nvfp4, layout: .modelOpt),
            excluding: ["b.proj"]
        ).write(to: folder.path("out"))
    }

    @Test("leaves nothing behind when the caller stops it")
    func stopped() throws {
        let source = try folder.makeModel(shards: Self.shards)
        let quantizer = try quantizer(source)
        #expect(throws: Interruption.self) {
            try quantizer.write(to: folder.path("out")) { count, total in
                if count > total / 2 { throw Interruption() }
            }
        }
        #expect(try FileSystem.names(inFolder: folder.path) == ["source"])
    }

    @Test("refuses a source that was changed meanwhile")
    func changedSource() throws {
        let source = try folder.makeModel(tensors: [.init("a.proj.weight", shape: [16, 16])])
        let quantizer = try quantizer(source)
        try folder.write("changed", to: "source/model.safetensors")
        #expect(code { try quantizer.write(to: folder.path("out")) } == .inaccessible)
        #expect(try FileSystem.names(inFolder: folder.path) == ["source"])
    }

    @Test("quantizes an all-zero weight to zeros")
    func zeros() throws {
        let source = try folder.makeModel(tensors: [
            .init("a.proj.weight", shape: [16, 32], values: [Float](repeating: 0, count: 512))
        ])
        try quantizer(source).write(to: folder.path("out"))
        #expect(try PackedTensors(folder.path("out")).nvfp4("a.proj").allSatisfy { $0 == 0 })
    }
}
