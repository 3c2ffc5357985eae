internal import CUDA

extension MoEResolution {
    /// Chooses for all numbers of tokens.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reasons if a number of tokens is left without a kernel.
    init(
        _ configuration: MoEConfiguration, _ backend: MoEBackend, streaming: [MoEStream], on device: Device
    ) throws(CUDAError) {
        let maximum = configuration.maximumTokenCount
        var first = 1
        for stream in streaming where backend != .throughput && first <= maximum {
            let counts = first...min(stream.tokenCount, maximum)
            choices.append(Choice(tokenCounts: counts, backend: .latency, kernel: "\(stream)"))
            first = counts.upperBound + 1
        }
        let reason = "the grouped matrix product is not built yet"
        refusals.append(Refusal(tokenCounts: 1...maximum, backend: .throughput, reason: reason))
        guard first <= maximum else { return }
        let rest = first...maximum
        let streamingReason =
            backend == .throughput
            ? "another backend was asked for" : MoEStream.refusal(tokenCount: first, on: device)
        refusals.append(Refusal(tokenCounts: rest, backend: .latency, reason: streamingReason))
        throw CUDAError(
            .unsupported,
            "MoE layer: no kernel for \(rest.lowerBound) to \(maximum) tokens; \(lines.joined(separator: "; "))")
    }
}
