public import CUDA

/// A routing that is ready to run: what ``Route`` describes.
///
/// Its launches can be captured and may overlap the kernel before. With more than 64 tokens (before Hopper 16) all blocks of
/// a launch must be resident at once: at most one on each SM, and nothing beside them that waits for them, or for room as
/// another such launch does.
public struct Router: Sendable {
    /// What it computes.
    public let route: Route
    /// The tokens of a launch, at most.
    public let tokenCount: Int

    private let kernel: Kernel
    /// Exchanges counts within a cluster; nil before Hopper.
    private let clusterKernel: Kernel?

    init(
        _ route: Route, from sources: KernelSources, _ cache: KernelCache, in context: Context, tokenCount: Int
    ) throws(CUDAError) {
        let device = context.device
        guard 0...Route.largestTokenCount ~= tokenCount else {
            throw CUDAError(
                .unsupported, "route: up to \(tokenCount) tokens, expected 0 to \(Route.largestTokenCount)")
        }
        // More tokens take more shared memory, and without clusters more than with them.
        let sharedByteCount = route.sharedByteCount(
            route.plan(tokenCount: tokenCount, multiprocessorCount: device.multiprocessorCount, hasClusters: false))
        let programs = try route.programs(from: sources, for: device.architecture)
        func load(_ program: KernelProgram, sharedByteCount: Int) throws(CUDAError) -> Kernel {
            try cache.module(program, in: context).kernel("route", dynamicSharedByteCount: sharedByteCount)
        }
        self.route = route
        self.tokenCount = tokenCount
        kernel = try load(programs[0], sharedByteCount: sharedByteCount)
        clusterKernel = programs.count > 1 ? try load(programs[1], sharedByteCount: 0) : nil
    }

    /// Queues the routing of some tokens.
    ///
    /// - Parameters:
    ///   - logits: `[T, E]`, row-major, in the type of ``Route/logits``, at a multiple of 16 bytes.
    ///   - biases: `[E]`, for ``Route/Method/biasedSigmoid(groupCount:chosenGroupCount:renormalized:)`` only.
    ///   - tokenCount: `T`, at most ``tokenCount``; 0 leaves empty lists.
    ///   - factor: what all weights are multiplied by.
    ///   - rows: receives the rows.
    ///   - workspace: for as many experts; no other stream uses it meanwhile.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` if a buffer does not fit, or of the launch.
    public func launch<Logit>(
        on stream: Stream, logits: DeviceBuffer<Logit>, biases: DeviceBuffer<Float>? = nil, tokenCount: Int,
        factor: Float = 1, into rows: RoutedRows, workspace: RouteWorkspace
    ) throws(CUDAError) {
        try check(logits, biases, tokenCount: tokenCount, rows)
        let device = stream.context.device
        guard workspace.expertCount == route.expertCount else {
            throw CUDAError(
                .invalidArgument,
                "route: a workspace for \(workspace.expertCount) experts, expected \(route.expertCount)")
        }
        let plan = route.plan(
            tokenCount: tokenCount, multiprocessorCount: device.multiprocessorCount, hasClusters: clusterKernel != nil)
        let isCluster = plan.exchange == .cluster
        let launch = Launch(
            grid: Launch.Extent(plan.blockCount), block: Launch.Extent(plan.threadCount),
            cluster: isCluster ? Launch.Extent(plan.blockCount) : nil,
            dynamicSharedByteCount: route.sharedByteCount(plan), overlapsPrevious: device.architecture.major >= 9)
        try stream.launch(
            isCluster ? clusterKernel ?? kernel : kernel, launch, logits, biases?.address ?? 0, factor,
            UInt32(tokenCount), UInt32(plan.tokensPerBlock), rows.rowTokens, rows.rowWeights, rows.slotRows,
            rows.offsets, rows.blockLists[0], rows.blockLists.count > 1 ? rows.blockLists[1].address : 0,
            workspace.turn, workspace.counts, UInt32(device.multiprocessorCount))
    }

    /// Refuses buffers that do not fit.
    func check<Logit>(
        _ logits: DeviceBuffer<Logit>, _ biases: DeviceBuffer<Float>?, tokenCount: Int, _ rows: RoutedRows
    ) throws(CUDAError) {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "route: \(message)") }
        guard 0...self.tokenCount ~= tokenCount else {
            throw fail("\(tokenCount) tokens, expected 0 to \(self.tokenCount)")
        }
        let logitByteCount = route.logits == .float32 ? 4 : 2
        guard MemoryLayout<Logit>.stride == logitByteCount, logits.count >= tokenCount * route.expertCount,
            logits.address.isMultiple(of: 16)
        else {
            throw fail(
                "\(logits.count) logits of \(MemoryLayout<Logit>.stride) bytes at address \(logits.address), expected "
                    + "\(tokenCount * route.expertCount) of \(logitByteCount) bytes at a multiple of 16")
        }
        if case .biasedSigmoid = route.method {
            guard biases?.count == route.expertCount else {
                throw fail("\(biases?.count ?? 0) biases, expected \(route.expertCount)")
            }
        }
        let rowCount = tokenCount * route.topK
        guard min(rows.rowTokens.count, rows.rowWeights.count, rows.slotRows.count) >= rowCount,
            rows.offsets.count > route.expertCount, rows.blockLists.count == route.blockRowCounts.count
        else { throw fail("no room for \(rowCount) rows of \(route.expertCount) experts") }
        guard rows.topK == route.topK else { throw fail("rows of top-\(rows.topK), expected top-\(route.topK)") }
        guard rows.blockRowCounts == route.blockRowCounts, rows.expertCount >= route.expertCount else {
            throw fail(
                "rows of \(rows.expertCount) experts in blocks of \(rows.blockRowCounts), expected "
                    + "\(route.expertCount) in blocks of \(route.blockRowCounts)")
        }
        for (list, limit) in zip(rows.blockLists, route.blockRowCounts) {
            let wordCount = try route.blockListWordCount(tokenCount: tokenCount, limit: limit)
            guard list.count >= wordCount, list.address.isMultiple(of: 16) else {
                throw fail(
                    "a list of \(list.count) words at address \(list.address) for blocks of \(limit) rows, "
                        + "expected \(wordCount) at a multiple of 16")
            }
        }
    }
}
