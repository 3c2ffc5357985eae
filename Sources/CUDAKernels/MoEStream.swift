internal import CUDA

/// The host side of `sm90/moe_stream.cu`: the experts of a layer, or a linear layer, for few tokens an expert.
///
/// Its properties are the template's parameters; each set of them is a kernel of its own.
struct MoEStream: TemplateKernel, Equatable {
    static let path = "sm90/moe_stream.cu"
    static let function = "stream_experts"
    static let argumentsName = "MoeStreamArguments"

    let shape: ExpertShape
    /// The token rows of a block: 1, 2, 4 or a multiple of 8.
    let rowCount: Int
    /// The tokens of a launch, at most.
    let tokenCount: Int
    let pipeline: Pipeline
    /// How a launch routes its tokens if it gets their logits; nil if it cannot.
    let route: Route?

    /// How bytes are kept in flight and who multiplies them.
    struct Pipeline: Sendable, Equatable {
        /// Slabs of a stage, and stages of the ring.
        var chunk: Int, stages: Int
        /// Stages that are under way at once: usually, and while the ring fills for the first and for the second product.
        var inFlight: Int, lead: Int, middle: Int
        /// The blocks of 16 weight rows that a warp multiplies, 1, 2 or 4 of the four of a slab.
        var warpTiles: Int
        /// How many of the warps that share such blocks take turns at slabs, and at chunks.
        var slabTurns: Int, chunkTurns: Int
        /// The blocks of threads on an SM, at least, that registers have to suffice for: two, where launches overlap.
        var residentCount: Int
        /// The warps that bring token rows, and take turns at chunks.
        var inputCopierCount = 1
        /// Whether `hidden` is sent in packets, which need no fence, but time to be received; for very few tokens.
        var sendsPackets = false
        /// Whether both products are in two phases, so that no CTA waits between them; for few tokens.
        var hasPhases = false
        /// Where each CTA gathers all rows of `hidden` and has whole sums of the second product, these rows at most; else 0.
        ///
        /// For one token, sent in packets, in one phase.
        var gatheredRowCount = 0
    }

    private var hasBothProducts: Bool { shape.upBlockCount > 0 && shape.downBlockCount > 0 }
    private var sendsPackets: Bool { pipeline.sendsPackets && hasBothProducts }
    private var gatheredRowCount: Int { hasBothProducts ? pipeline.gatheredRowCount : 0 }
    private var hasPhases: Bool {
        pipeline.hasPhases && hasBothProducts && tokenCount <= Self.largestPhasedTokenCount && shape.down.slabCount > 1
    }

    /// The slabs of `hidden` of the first of two phases; 0 for one phase.
    ///
    /// The second phase has a third of the first product's blocks or more, so many that all SMs have one or two sums of them,
    /// whole ones: what is known last then waits for no parts. Where it would be more, parts matter less, and the first
    /// phase has about five eighths, in whole chunks.
    /// - Parameter expertCount: how many experts are hit, one at least.
    func cut(expertCount: Int, multiprocessorCount: Int) -> Int {
        guard hasPhases else { return 0 }
        let (blockCount, slabCount) = (shape.upBlockCount, shape.down.slabCount)
        let each = (blockCount.dividedRoundingUp(by: 3) * expertCount).dividedRoundingUp(by: multiprocessorCount)
        if each > 2 {
            return min(max(1, (5 * slabCount / 4 / pipeline.chunk + 1) / 2) * pipeline.chunk, slabCount - 1)
        }
        let last = min(each * multiprocessorCount / expertCount, 2 * blockCount / 3)
        return (blockCount - last).dividedRoundingUp(by: shape.activation.isGated ? 2 : 1)
    }

    private var columnTileCount: Int { rowCount <= 8 ? 1 : rowCount / 8 }
    private var turnCount: Int { pipeline.slabTurns * pipeline.chunkTurns }

    /// The threads of a block: those that multiply, four warps that finish sums, one that copies weights, those that copy rows.
    var threadCount: Int { 32 * (4 / pipeline.warpTiles * turnCount + 4 + 1 + pipeline.inputCopierCount) }

    /// The bytes of a stage: weights and token rows, in whole lines.
    private var stageByteCount: Int {
        let pitch = pipeline.chunk * SlabLayout.columnCount * 2 + 16
        return (pipeline.chunk * shape.down.format.slabByteCount + rowCount * pitch).rounded(upTo: 128)
    }

    /// The dynamic shared memory of a block.
    var sharedByteCount: Int {
        let ring = pipeline.stages * stageByteCount + (3 * 8 * pipeline.stages).rounded(upTo: 128)
        let sumLaneCount = rowCount >= 8 ? 4 : (rowCount + 1) / 2
        let buffers = 2 * (turnCount * 4 * columnTileCount * 8 * sumLaneCount) * 16
        let outputs = shape.downBlockCount == 0 ? 0 : (hasPhases ? 2 : 1) * 4 * 16 * tokenCount * 4
        return ring + buffers + outputs + 6 * 8 + routingByteCount + gatheredByteCount
    }

    /// Of it, the rows that are gathered, two barriers, a factor for each row, and the number of the launch.
    private var gatheredByteCount: Int {
        guard gatheredRowCount > 0 else { return 0 }
        let rowByteCount = shape.down.slabCount * SlabLayout.columnCount * 2
        return (gatheredRowCount * (rowByteCount + 4) + 2 * 8 + 4).rounded(upTo: 16)
    }

    /// Of it, the rows of the tokens by expert, and what leads to them.
    private var routingByteCount: Int {
        guard let route else { return 0 }
        let tokenRowCount = tokenCount * route.topK
        let blockCount = tokenRowCount / rowCount + min(tokenRowCount, route.expertCount)
        let choices = route.choiceByteCount(maskRowCount: tokenCount.dividedRoundingUp(by: 32), tokenCount: tokenCount)
        return (16 + 16 * blockCount + 8 * tokenRowCount + choices).rounded(upTo: 16)
    }

    /// The floats of a part of a sum that another block completes, for each of four warps.
    var partialFloatCount: Int { hasPhases ? 256 * columnTileCount : max(128 * columnTileCount, tokenCount * 16) }

    var launchBounds: String { "\(threadCount), \(pipeline.residentCount)" }
    var body: String { "moe_stream<Stream>(arguments);" }

    var declarations: [String] {
        let parameters: [String] =
            [
                shape.down.format.deviceName, "\(shape.upBlockCount)", "\(shape.up?.slabCount ?? 0)",
                "\(shape.downBlockCount)", "\(shape.down.slabCount)", "\(shape.outputPitch)",
                shape.activation.deviceName, "\(rowCount)", "\(tokenCount)",
            ]
            + [
                pipeline.chunk, pipeline.stages, pipeline.inFlight, pipeline.lead, pipeline.middle,
                pipeline.warpTiles, pipeline.slabTurns, pipeline.chunkTurns, pipeline.inputCopierCount,
            ].map { "\($0)" }
            + [hasPhases, sendsPackets].map { $0 ? "true" : "false" }
            + ["\(gatheredRowCount)", route?.deviceName ?? "NoChoice"]
        return [
            "typedef StreamShape<\(parameters.joined(separator: ", "))> Stream;",
            "static_assert(Stream::kThreads == \(threadCount), \"as the host counts\");",
            "static_assert(Stream::kSharedBytes == \(sharedByteCount), \"as the host counts\");",
            "static_assert(Stream::kPartialFloats == \(partialFloatCount), \"as the host counts\");",
            "static_assert(sizeof(StreamState) == \(Self.stateByteCount), \"as the host counts\");",
        ]
    }
}

extension Int {
    /// The next multiple of a number, this one if it is one.
    func rounded(upTo multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}
