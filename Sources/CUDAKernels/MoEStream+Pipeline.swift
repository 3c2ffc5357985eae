extension MoEStream {
    /// The numbers of tokens that kernels are compiled for.
    static let tokenCounts = [1, 2, 4, 8, 16, 32, 64, 128]
    /// The token rows of a block, at most; more make further blocks, which read the weights again, from the L2 cache.
    static let largestRowCount = 32
    /// The same for experts, of which few have many rows where this kernel is the better one.
    static let largestExpertRowCount = 8
    /// The tokens that a launch routes by itself, at most: each block does so for all of them.
    static let largestRoutedTokenCount = 8
    /// The floats of the largest part of a sum, of all kernels.
    static let largestPartialFloatCount = max(128 * largestRowCount / 8, 16 * (tokenCounts.last ?? 0))

    /// The kernel for a layer and up to `tokenCount` tokens, whose pipeline fills the shared memory of a block.
    ///
    /// - Parameter route: how tokens are routed, if there are few enough.
    /// - Returns: nil if even a short pipeline does not fit.
    init?(_ shape: ExpertShape, route: Route? = nil, tokenCount: Int, sharedByteCount: Int) {
        let largest = shape.up == nil ? Self.largestRowCount : Self.largestExpertRowCount
        let rowCount = min(tokenCount, largest)
        for pipeline in Self.pipelines(shape) {
            self.init(
                shape, rowCount: rowCount, tokenCount: tokenCount, pipeline: pipeline,
                route: tokenCount <= Self.largestRoutedTokenCount ? route : nil)
            if self.sharedByteCount <= sharedByteCount { return }
        }
        return nil
    }

    /// From the best to the shortest (docs/kernels-gpu-notes.md).
    private static func pipelines(_ shape: ExpertShape) -> [Pipeline] {
        let chunks = shape.down.format == .bfloat16 ? [2] : [8, 4]
        // Linear layers begin while the launch before them still reads, so slowly; experts wait for routing first.
        let lead = shape.up == nil ? 1 : 3
        return chunks.flatMap { chunk in
            [5, 4, 3].map { stages in
                Pipeline(
                    chunk: chunk, stages: stages, inFlight: 3, lead: lead, middle: 1, slabTurns: 2, chunkTurns: 1,
                    ahead: 8)
            }
        }
    }

    private init(_ shape: ExpertShape, rowCount: Int, tokenCount: Int, pipeline: Pipeline, route: Route?) {
        self.shape = shape
        self.rowCount = rowCount
        self.tokenCount = tokenCount
        self.pipeline = pipeline
        self.route = route
    }
}
