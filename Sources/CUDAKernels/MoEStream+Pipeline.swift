extension MoEStream {
    /// The numbers of tokens that kernels are compiled for.
    static let tokenCounts = [1, 2, 4, 8, 16, 32, 64, 128]

    /// The kernel for a layer and up to `tokenCount` tokens, whose pipeline fills the shared memory of a block.
    ///
    /// - Returns: nil if even a short pipeline does not fit.
    init?(_ shape: ExpertShape, tokenCount: Int, sharedByteCount: Int) {
        // More rows of one expert make further blocks, which read its weights again, from the L2 cache.
        let rowCount = min(tokenCount, 32)
        for pipeline in Self.pipelines(shape.down.format) {
            self.init(shape, rowCount: rowCount, tokenCount: tokenCount, pipeline: pipeline)
            if self.sharedByteCount <= sharedByteCount { return }
        }
        return nil
    }

    /// From the best to the shortest (docs/kernels-gpu-notes.md).
    private static func pipelines(_ format: WeightFormat) -> [Pipeline] {
        let chunks = format == .bfloat16 ? [2] : [8, 4]
        return chunks.flatMap { chunk in
            [5, 4, 3].map { stages in
                Pipeline(chunk: chunk, stages: stages, inFlight: 3, lead: 1, slabTurns: 2, chunkTurns: 1)
            }
        }
    }

    init(_ shape: ExpertShape, rowCount: Int, tokenCount: Int, pipeline: Pipeline) {
        self.shape = shape
        self.rowCount = rowCount
        self.tokenCount = tokenCount
        self.pipeline = pipeline
    }
}
