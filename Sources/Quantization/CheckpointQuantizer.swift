import ModelFiles

/// Turns a model folder with BF16, FP16 or FP32 weights into one with FP4 weights.
///
/// ```swift
/// let quantizer = try CheckpointQuantizer(source: "model", scheme: scheme)
/// try quantizer.write(to: "model-nvfp4") { done, total in … }
/// ```
///
/// The same source gives the same bytes. Which modules are quantized, and what is written: docs/checkpoints.md.
public struct CheckpointQuantizer {
    /// What a quantization changes, known before any weight is read.
    public var summary: QuantizationSummary { plan.summary }

    private let checkpoint: Checkpoint
    private let plan: QuantizationPlan

    /// Opens a model folder and decides what becomes of each tensor.
    ///
    /// - Parameters:
    ///   - source: the folder.
    ///   - scheme: the format and layout of the new one.
    ///   - globs: modules that keep their precision besides those that always do: `*self_attn*`.
    /// - Throws: `ModelFileError` if the folder is missing or malformed, is quantized already, holds fused experts in an
    ///   order that is not known, or if no module is left to quantize.
    public init(source: String, scheme: QuantizationScheme, excluding globs: [String] = []) throws {
        checkpoint = try Checkpoint(path: source)
        plan = try QuantizationPlan(checkpoint, scheme: scheme, excluding: globs)
    }

    /// Writes the new folder, which appears when it is complete.
    ///
    /// Until then everything is in a hidden folder beside it, which is removed if anything fails. Weights are read twice,
    /// first for their global scale, and about one tensor is in memory at a time.
    ///
    /// - Parameters:
    ///   - destination: where nothing may be yet.
    ///   - onProgress: called with the bytes read so far and in all. What it throws ends the work.
    /// - Throws: `ModelFileError` if the destination exists or cannot be written, the source was changed meanwhile, or a
    ///   weight to be quantized is NaN or infinite.
    public func write(
        to destination: String, onProgress: @escaping (_ byteCount: Int, _ total: Int) throws -> Void = { _, _ in }
    ) throws {
        let output = try OutputFolder(for: destination)
        let total = plan.workByteCount
        var count = 0
        var writer = ShardWriter(plan) { step in
            count += step
            try onProgress(count, total)
        }
        for shard in plan.shards { try writer.write(shard, to: output.path(of: shard.name)) }
        let files = ModelFolderFiles(checkpoint.folder)
        if files.hasShardIndex { try files.write(plan.shardIndex, to: output.path(of: ShardIndex.fileName)) }
        try files.writeConfiguration(
            QuantizationConfiguration(scheme: plan.scheme, summary: plan.summary), into: output.path)
        try files.copyOthers(into: output.path)
        try output.finish()
    }
}

extension QuantizationPlan {
    /// The file of every tensor, as `model.safetensors.index.json` has it.
    var shardIndex: JSON {
        let places = shards.flatMap { shard in
            shard.tensors.flatMap(\.declarations).map { (tensor: $0.name, shard: shard.name) }
        }
        let weightMap = places.sorted { $0.tensor < $1.tensor }.reduce(into: JSONObject()) {
            $0[$1.tensor] = .string($1.shard)
        }
        return .object([
            "metadata": .object(["total_size": .integer(summary.byteCount)]), "weight_map": .object(weightMap),
        ])
    }
}
