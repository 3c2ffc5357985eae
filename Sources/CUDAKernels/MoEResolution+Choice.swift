public import CUDA

extension MoEResolution {
    /// Up to so many rows of all experts the streaming kernel is faster.
    ///
    /// Measured on an H100 with layers of 8 to 256 experts (docs/kernels-gpu-notes.md): each row costs it some time, and experts
    /// with more rows than a block has are read again, which takes long if they are large. Memory as fast as an H200's leaves
    /// the grouped product further behind.
    private static func streamedRowCount(_ configuration: MoEConfiguration, on device: Device) -> Int {
        let shape = configuration.shape
        let isLarge = (shape.up?.byteCount ?? 0) + (shape.down.byteCount ?? 0) >= 32 << 20
        let expertCount = configuration.expertCount
        let most = device.memoryBandwidth > 4e12 ? 256 : 192
        return max(3 * expertCount / 2, min(most, (isLarge ? 5 : 6) * expertCount / 2))
    }

    /// Chooses for all numbers of tokens up to the configured maximum, as a layer does when it is made.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reasons if a number of tokens is left without a kernel.
    public init(_ configuration: MoEConfiguration, on device: Device) throws(CUDAError) {
        let maximum = configuration.maximumTokenCount
        let kernels = MoEStream.kernels(
            for: configuration.shape, route: try configuration.streamedRoute(),
            maximumTokenCount: maximum, on: device)
        let possible = min(maximum, kernels.last?.tokenCount ?? 0)
        let groupedRefusal = Self.groupedRefusal(configuration, on: device)
        var streamed = 0
        switch configuration.backend {
        case .latency: streamed = possible
        case .throughput: streamed = 0
        case .auto:
            let fast = max(1, Self.streamedRowCount(configuration, on: device) / configuration.topK)
            streamed = groupedRefusal == nil ? min(possible, fast) : possible
        }
        var first = 1
        for kernel in kernels where first <= streamed {
            let counts = first...min(kernel.tokenCount, streamed)
            choices.append(Choice(tokenCounts: counts, backend: .latency, kernel: "\(kernel)"))
            first = counts.upperBound + 1
        }
        refuse(configuration, streamed: streamed, possible: possible, groupedRefusal, on: device)
        guard first <= maximum else { return }
        guard configuration.backend != .latency, groupedRefusal == nil else {
            throw CUDAError(
                .unsupported,
                "MoE layer: no kernel for \(first) to \(maximum) tokens; \(lines.joined(separator: "; "))")
        }
        while first <= maximum {
            let rowCount = configuration.groupedRowCount(tokenCount: first)
            let others = (first...maximum).lazy.filter { configuration.groupedRowCount(tokenCount: $0) != rowCount }
            let next = others.first ?? maximum + 1
            let product = MoEGemm(shape: configuration.shape, hasOneRow: configuration.topK == 1, rowCount: rowCount)
            choices.append(Choice(tokenCounts: first...next - 1, backend: .throughput, kernel: "\(product)"))
            first = next
        }
    }

    /// Notes why the other backend does not compute the numbers of tokens up to `streamed`, and those from there on.
    private mutating func refuse(
        _ configuration: MoEConfiguration, streamed: Int, possible: Int, _ groupedRefusal: String?, on device: Device
    ) {
        let maximum = configuration.maximumTokenCount
        let asked = "another backend was asked for"
        if streamed > 0 {
            let reason =
                configuration.backend == .latency
                ? asked : groupedRefusal ?? "slower for up to \(Self.streamedRowCount(configuration, on: device)) rows"
            refusals.append(Refusal(tokenCounts: 1...streamed, backend: .throughput, reason: reason))
        }
        guard streamed < maximum else { return }
        let rest = streamed + 1...maximum
        let reason: String
        if configuration.backend == .throughput {
            reason = asked
        } else if streamed == possible {
            reason = MoEStream.refusal(tokenCount: rest.lowerBound, on: device)
        } else {
            reason = "slower for more than \(Self.streamedRowCount(configuration, on: device)) rows"
        }
        refusals.append(Refusal(tokenCounts: rest, backend: .latency, reason: reason))
        if let groupedRefusal {
            refusals.append(Refusal(tokenCounts: rest, backend: .throughput, reason: groupedRefusal))
        } else if configuration.backend == .latency {
            refusals.append(Refusal(tokenCounts: rest, backend: .throughput, reason: asked))
        }
    }

    /// Why the grouped product cannot compute a layer; nil if it can.
    private static func groupedRefusal(_ configuration: MoEConfiguration, on device: Device) -> String? {
        for rowCount in configuration.groupedRowCounts {
            let product = MoEGemm(shape: configuration.shape, hasOneRow: configuration.topK == 1, rowCount: rowCount)
            if let refusal = product.refusal(on: device) { return refusal }
        }
        return nil
    }

    /// What computes so many tokens, up to the layer's maximum.
    public func backend(tokenCount: Int) -> MoEBackend {
        choices.first { $0.tokenCounts.contains(tokenCount) }?.backend ?? .throughput
    }

    func uses(_ backend: MoEBackend) -> Bool { choices.contains { $0.backend == backend } }

    /// The most tokens that a backend computes; 0 if none.
    func lastTokenCount(of backend: MoEBackend) -> Int {
        choices.last { $0.backend == backend }?.tokenCounts.upperBound ?? 0
    }
}
