public import CUDA
public import Kernels

/// The host side of `any/route.cu`: router logits `[T, E]` to rows grouped by expert.
///
/// Its properties decide what is compiled; ``load(from:_:in:tokenCount:)`` gives a ``Router``, which runs it.
public struct Route: Sendable, Equatable {
    /// The type of the router logits.
    public enum Logits: Sendable, CaseIterable {
        /// bfloat16.
        case bfloat16
        /// IEEE single precision.
        case float32
    }

    /// How logits choose experts and weigh them.
    public enum Method: Sendable, Equatable {
        /// By logit; weights are the softmax over all experts.
        case softmax
        /// By logit; weights are the softmax over those chosen, which is that over all, renormalized.
        case softmaxOfSelected
        /// By logit; weights are sigmoids (Llama 4).
        case sigmoid
        /// By the sum of sigmoid and bias; weights are the sigmoids (DeepSeek-V3).
        ///
        /// Experts are in groups of neighbours; only the groups with the largest sums of their two best take part.
        case biasedSigmoid(groupCount: Int, chosenGroupCount: Int, renormalized: Bool)

        /// The method of a model's layer.
        public init(_ score: Routing.Score) {
            self =
                switch score {
                case .softmax(renormalized: false): .softmax
                case .softmax(renormalized: true), .softmaxOfSelected: .softmaxOfSelected
                case .sigmoid: .sigmoid
                }
        }
    }

    /// How logits choose experts and weigh them.
    public let method: Method
    /// The type of the router logits.
    public let logits: Logits
    /// The number of experts, `E`.
    public let expertCount: Int
    /// The number of experts of a token.
    public let topK: Int
    /// The rows of a block in each of one or two lists, at most.
    public let blockRowCounts: [Int]

    /// Describes a routing.
    ///
    /// - Parameters:
    ///   - expertCount: at most 512.
    ///   - topK: at most 16 and `expertCount`.
    ///   - blockRowCounts: for each list of row blocks, one or two, the rows of a block.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported`, which says what is not supported.
    public init(
        _ method: Method, logits: Logits = .float32, expertCount: Int, topK: Int, blockRowCounts: [Int]
    ) throws(CUDAError) {
        self.method = method
        self.logits = logits
        self.expertCount = expertCount
        self.topK = topK
        self.blockRowCounts = blockRowCounts
        if let reason = refusal { throw CUDAError(.unsupported, "route: \(reason)") }
    }

    private var refusal: String? {
        guard 1...512 ~= expertCount else { return "\(expertCount) experts, expected 1 to 512" }
        guard 1...min(16, expertCount) ~= topK else {
            return "\(topK) experts for each token, expected 1 to \(min(16, expertCount))"
        }
        guard 1...2 ~= blockRowCounts.count, blockRowCounts.allSatisfy({ 1...1 << 16 ~= $0 }) else {
            return "row blocks of \(blockRowCounts) rows, expected one or two limits of 1 to 65536"
        }
        guard case .biasedSigmoid(let groupCount, let chosenGroupCount, _) = method else { return nil }
        guard groupCount >= 1, 1...groupCount ~= chosenGroupCount else {
            return "\(chosenGroupCount) of \(groupCount) groups, expected at least 1 group, and 1 to all of them"
        }
        guard groupCount > 1 else { return nil }
        let laneExpertCount = (expertCount + 31) / 32
        guard groupCount <= expertCount, expertCount.isMultiple(of: groupCount * laneExpertCount),
            (expertCount / groupCount / laneExpertCount).nonzeroBitCount == 1, expertCount / groupCount >= 2
        else {
            return "\(expertCount) experts in \(groupCount) groups, expected groups of at least 2 experts that are "
                + "\(laneExpertCount) times a power of two"
        }
        guard chosenGroupCount * (expertCount / groupCount) >= topK else {
            return "\(chosenGroupCount) of \(groupCount) groups for \(topK) experts of a token"
        }
        return nil
    }

    /// The program to compile.
    ///
    /// - Parameter isCluster: whether blocks exchange counts within a cluster, which needs `sm_90`, or in global memory.
    /// - Throws: ``CUDA/CUDAError`` if the sources lack its file.
    public func program(
        from sources: KernelSources, for architecture: Architecture, isCluster: Bool
    ) throws(CUDAError) -> KernelProgram {
        let parameters = choiceParameters
        let definitions = [
            "EXPERTS": expertCount, "TOP_K": topK, "METHOD": parameters.method,
            "LOGITS_ARE_FP32": logits == .float32 ? 1 : 0, "GROUPS": parameters.groupCount,
            "CHOSEN_GROUPS": parameters.chosenGroupCount, "RENORMALIZE": parameters.renormalized ? 1 : 0,
            "LIST_ROWS": blockRowCounts[0], "SECOND_LIST_ROWS": blockRowCounts.count > 1 ? blockRowCounts[1] : 0,
            "THREADS": threadCount, "CLUSTER": isCluster ? 1 : 0,
        ]
        return try sources.program("any/route.cu", for: architecture, definitions: definitions)
    }

    /// `RoutingMethod` of `common/choice.cuh`, and the parameters of the method that has some.
    private var choiceParameters: (method: Int, groupCount: Int, chosenGroupCount: Int, renormalized: Bool) {
        switch method {
        case .softmax: (0, 1, 1, false)
        case .softmaxOfSelected: (1, 1, 1, false)
        case .sigmoid: (2, 1, 1, false)
        case .biasedSigmoid(let groupCount, let chosenGroupCount, let renormalized):
            (3, groupCount, chosenGroupCount, renormalized)
        }
    }

    /// The type of `common/choice.cuh` that chooses the experts of a token.
    var deviceName: String {
        let parameters = choiceParameters
        return "ExpertChoice<\(expertCount), \(topK), \(parameters.method), \(logits == .float32), "
            + "\(parameters.groupCount), \(parameters.chosenGroupCount), \(parameters.renormalized)>"
    }

    /// The programs of a ``Router`` on a GPU: without a cluster and, from Hopper on, with one.
    func programs(from sources: KernelSources, for architecture: Architecture) throws(CUDAError) -> [KernelProgram] {
        let isCluster = architecture.major >= 9 ? [false, true] : [false]
        return try isCluster.map { isCluster throws(CUDAError) in
            try program(from: sources, for: architecture, isCluster: isCluster)
        }
    }

    /// The kernels, loaded, for up to `tokenCount` tokens a launch.
    ///
    /// - Throws: ``CUDA/CUDAError`` of the compiler or the driver; with code `unsupported` for too many tokens.
    public func load(
        from sources: KernelSources, _ cache: KernelCache, in context: Context, tokenCount: Int
    ) throws(CUDAError) -> Router {
        try Router(self, from: sources, cache, in: context, tokenCount: tokenCount)
    }

    /// The threads of a block at most: what the registers of so many experts a lane allow, and one for each expert.
    var threadCount: Int { expertCount > 256 ? 512 : 1024 }
}
