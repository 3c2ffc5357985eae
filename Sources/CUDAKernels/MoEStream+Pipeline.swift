internal import CUDA

extension MoEStream {
    /// The numbers of tokens that kernels are compiled for.
    static let tokenCounts = [1, 2, 4, 8, 16, 32, 64, 128]
    /// The token rows of a block, at most; more make further blocks, which read the weights again, from the L2 cache.
    static let largestRowCount = 32
    /// The same for experts, of which few have many rows where this kernel is the better one.
    static let largestExpertRowCount = 8
    /// The tokens that a launch routes by itself, at most: each block does so for all of them.
    static let largestRoutedTokenCount = 8
    /// The tokens of kernels that have `hidden` sent in packets, at most.
    static let largestPacketTokenCount = 4
    /// The tokens of kernels that have two phases, at most: the parts of their outputs are small enough.
    static let largestPhasedTokenCount = 8
    /// The slabs of a sum of the second product that are multiplied in less time than `hidden` needs from CTA to CTA.
    private static let longestShortSum = 16
    /// The floats of the largest part of a sum, of all kernels.
    static let largestPartialFloatCount = max(128 * largestRowCount / 8, 16 * (tokenCounts.last ?? 0))

    /// What a GPU has.
    struct Resources {
        let architecture: Architecture
        /// Of a block, at most.
        let sharedByteCount: Int
        let multiprocessorCount: Int
    }

    /// The kernel for a layer and up to `tokenCount` tokens, whose pipeline fills the shared memory of a block.
    ///
    /// - Parameter route: how tokens are routed, if there are few enough.
    /// - Returns: nil if even a short pipeline does not fit.
    init?(_ shape: ExpertShape, route: Route? = nil, tokenCount: Int, on resources: Resources) {
        let largest = shape.up == nil ? Self.largestRowCount : Self.largestExpertRowCount
        let rowCount = min(tokenCount, largest)
        let gathered = tokenCount == 1 && Self.gathers(shape, on: resources) ? route?.topK ?? 0 : 0
        for pipeline in Self.pipelines(
            shape, rowCount: rowCount, gatheredRowCount: gathered, resources.architecture)
        {
            self.init(
                shape, rowCount: rowCount, tokenCount: tokenCount, pipeline: pipeline,
                route: tokenCount <= Self.largestRoutedTokenCount ? route : nil)
            if sharedByteCount <= resources.sharedByteCount { return }
        }
        return nil
    }

    /// Whether blocks of 16 outputs, whole sums of them, are about equally many for all SMs, and sums so short that receiving
    /// all of `hidden` takes less time than passing parts of sums on.
    private static func gathers(_ shape: ExpertShape, on resources: Resources) -> Bool {
        guard shape.up != nil, shape.down.format.isFP4, shape.down.slabCount <= longestShortSum,
            resources.architecture.major == 9, resources.multiprocessorCount > 0
        else { return false }
        let blockCount = 4 * shape.down.blockCount
        let slots = blockCount.rounded(upTo: resources.multiprocessorCount)
        return 10 * slots <= 11 * blockCount
    }

    /// The kernel of one of the products, whose tokens have been routed.
    func only(_ products: ExpertShape.Products) -> MoEStream {
        MoEStream(shape.only(products), rowCount: rowCount, tokenCount: tokenCount, pipeline: pipeline)
    }

    /// The kernel for one token whose routing was known before the previous kernel began.
    ///
    /// Two of its blocks share an SM, so that those of a launch fill their pipelines while the launch before finishes; eight
    /// warps multiply, for which there are registers twice.
    /// - Parameter topK: the experts of a token, at most.
    /// - Returns: nil if kernels that route are as good.
    static func early(_ shape: ExpertShape, topK: Int, on resources: Resources) -> MoEStream? {
        guard shape.up != nil, shape.down.format.isFP4, resources.architecture.major == 9 else { return nil }
        let isShort = shape.down.slabCount <= longestShortSum
        let pipeline = Pipeline(
            chunk: 8, stages: 5, inFlight: 3, lead: 1, middle: isShort ? 1 : 2, warpTiles: 1, slabTurns: 2,
            chunkTurns: 1, residentCount: 2, sendsPackets: isShort, hasPhases: !isShort)
        func fits(_ pipeline: Pipeline, byteCount: Int) -> MoEStream? {
            let kernel = MoEStream(shape, rowCount: 1, tokenCount: 1, pipeline: pipeline)
            return kernel.sharedByteCount <= byteCount ? kernel : nil
        }
        var gathering = pipeline
        (gathering.lead, gathering.middle, gathering.gatheredRowCount) = (2, 4, topK)
        // An SM has a KiB more than a block can have, and keeps one for each block.
        let half = (resources.sharedByteCount - 1024) / 2
        return (gathers(shape, on: resources) ? fits(gathering, byteCount: half) : nil)
            ?? fits(pipeline, byteCount: resources.sharedByteCount)
    }

    /// From the best to the shortest (docs/kernels-gpu-notes.md).
    private static func pipelines(
        _ shape: ExpertShape, rowCount: Int, gatheredRowCount: Int, _ architecture: Architecture
    ) -> [Pipeline] {
        let first =
            architecture.major == 9
            ? fewRowExperts(shape, rowCount: rowCount, gatheredRowCount: gatheredRowCount) : nil
        return (first.map { [$0] } ?? []) + generalPipelines(shape, rowCount: rowCount, architecture)
    }

    /// For one token, or up to four where sums are short: packets, which three warps that take turns receive, or all warps that
    /// gather them.
    private static func fewRowExperts(_ shape: ExpertShape, rowCount: Int, gatheredRowCount: Int) -> Pipeline? {
        guard shape.up != nil, shape.down.format.isFP4 else { return nil }
        if shape.down.slabCount <= longestShortSum, rowCount <= largestPacketTokenCount {
            return Pipeline(
                chunk: 6, stages: 8, inFlight: 4, lead: 4, middle: gatheredRowCount > 0 ? 4 : 3, warpTiles: 1,
                slabTurns: 2, chunkTurns: 2, residentCount: 1, inputCopierCount: 3, sendsPackets: true,
                gatheredRowCount: gatheredRowCount)
        }
        guard rowCount == 1 else { return nil }
        return Pipeline(
            chunk: 8, stages: 6, inFlight: 3, lead: 3, middle: 2, warpTiles: 1, slabTurns: 2, chunkTurns: 2,
            residentCount: 1, inputCopierCount: 3, sendsPackets: true, hasPhases: true)
    }

    private static func generalPipelines(
        _ shape: ExpertShape, rowCount: Int, _ architecture: Architecture
    ) -> [Pipeline] {
        let (chunks, stages) =
            switch shape.down.format {
            case .nvfp4, .mxfp4: ([8, 4], [8, 6, 4, 2])
            case .float8: ([4], [6, 4, 2])
            case .bfloat16: ([2], [6, 4, 2])
            }
        return chunks.flatMap { chunk in
            shape.up == nil
                ? (shape.down.format.isFP4 && rowCount >= 4 ? [4, 3] : [5, 4, 3])
                    .map { linear(shape, chunk: chunk, stages: $0, rowCount: rowCount, architecture) }
                : stages.map { experts(shape, chunk: chunk, stages: $0, rowCount: rowCount, architecture) }
        }
    }

    /// Experts wait for their routing, and take an SM for themselves.
    ///
    /// Sixteen warps multiply, in two groups that take turns at chunks; on Blackwell, whose code needs more registers, eight.
    /// Sums that are not short are in two phases. Several rows of FP4 experts are brought by two warps: on an H200, one needs
    /// more time for those of a chunk than memory for its weights.
    private static func experts(
        _ shape: ExpertShape, chunk: Int, stages: Int, rowCount: Int, _ architecture: Architecture
    ) -> Pipeline {
        let (bound, hasPhases) = (min(3, stages), shape.down.slabCount > longestShortSum)
        return Pipeline(
            chunk: chunk, stages: stages, inFlight: bound, lead: bound, middle: hasPhases ? bound : 2, warpTiles: 1,
            slabTurns: 2, chunkTurns: architecture.major == 9 ? 2 : 1, residentCount: 1,
            inputCopierCount: shape.down.format.isFP4 ? min(rowCount, 2) : 1, hasPhases: hasPhases)
    }

    /// Linear layers share an SM with the one before, and begin to read, slowly, while that one still does; not on Blackwell,
    /// where half of the registers are too few.
    ///
    /// Eight warps multiply; with few token rows there are registers for two blocks of weight rows a warp. Where weights are
    /// FP4, one warp would need more time to bring several rows of a chunk than memory and the products need for it.
    private static func linear(
        _ shape: ExpertShape, chunk: Int, stages: Int, rowCount: Int, _ architecture: Architecture
    ) -> Pipeline {
        let (warpTiles, isFP4) = (rowCount <= 8 && chunk >= 4 ? 2 : 1, shape.down.format.isFP4)
        return Pipeline(
            chunk: chunk, stages: stages, inFlight: isFP4 && rowCount == 1 ? min(4, stages) : 3, lead: 2, middle: 2,
            warpTiles: warpTiles, slabTurns: 2 * warpTiles, chunkTurns: 1,
            residentCount: rowCount <= 8 && architecture.major == 9 ? 2 : 1,
            inputCopierCount: isFP4 ? min(rowCount, 3) : 1)
    }

    init(_ shape: ExpertShape, rowCount: Int, tokenCount: Int, pipeline: Pipeline, route: Route? = nil) {
        self.shape = shape
        self.rowCount = rowCount
        self.tokenCount = tokenCount
        self.pipeline = pipeline
        self.route = route
    }
}
