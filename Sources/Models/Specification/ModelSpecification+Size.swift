extension ModelSpecification {
    /// The number of elements of all matrices; `Int.max` where it is larger.
    public var matrixElementCount: Int {
        let heads = head == embedding ? [embedding] : [embedding, head]
        return layers.reduce(Self.sum(heads.map(\.elementCount))) { sum, layer in
            let attention = layer.projections + [layer.attentionOutput]
            return Self.sum([sum] + attention.map(\.elementCount) + [layer.feedForward.elementCount])
        }
    }

    fileprivate static func sum(_ counts: [Int]) -> Int {
        counts.reduce(0) { sum, count in
            let (sum, overflow) = sum.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
    }
}

extension LinearSpecification {
    fileprivate var elementCount: Int {
        let (count, overflow) = outputSize.multipliedReportingOverflow(by: inputSize)
        return overflow ? .max : count
    }
}

extension ExpertSpecification {
    fileprivate var elementCount: Int { ModelSpecification.sum([gate, up, down].map(\.elementCount)) }
}

extension FeedForwardSpecification {
    fileprivate var elementCount: Int {
        switch self {
        case .dense(let dense): return dense.elementCount
        case .mixture(let router, _, let experts, let shared):
            let (count, overflow) = experts.expert(0).elementCount.multipliedReportingOverflow(by: experts.count)
            return ModelSpecification.sum(
                [router.elementCount, overflow ? .max : count, shared?.elementCount ?? 0])
        }
    }
}
