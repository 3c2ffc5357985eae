public import ModelFiles
public import Models

/// The figures of a latency benchmark, as a table and as JSON.
public struct LatencyReport {
    private let benchmark: LatencyBenchmark
    private let prefill: Statistics
    private let step: Statistics
    private let volume: ReadVolume
    private let readBandwidth: Statistics
    private let shareOfBandwidth: Double?
    private let peakResidentByteCount: Int?

    /// - Parameters:
    ///   - benchmark: what was run.
    ///   - result: what was measured.
    ///   - volume: the bytes that a token reads.
    ///   - peakResidentByteCount: the process's largest resident memory, where it is known.
    public init(
        benchmark: LatencyBenchmark, result: LatencyBenchmark.Result, volume: ReadVolume,
        peakResidentByteCount: Int?
    ) {
        self.benchmark = benchmark
        prefill = Statistics(result.prefillSeconds)
        step = Statistics(result.stepSeconds)
        self.volume = volume
        readBandwidth = Statistics(result.stretches.flatMap { [$0.bandwidthBefore, $0.bandwidthAfter] })
        let shares = result.stretches.map {
            $0.shareOfBandwidth { volume.weights + volume.cache(at: $0) }
        }
        // At larger batches it is unknown which experts are hit.
        shareOfBandwidth = benchmark.batchSize == 1 ? Statistics(shares).median : nil
        self.peakResidentByteCount = peakResidentByteCount
    }

    /// The bytes that a step at batch 1 reads on average, with the keys and values that it sees.
    private var bytesPerToken: Int {
        let positions = benchmark.inputLength..<benchmark.inputLength + benchmark.outputLength - 1
        return volume.weights + positions.reduce(0) { $0 + volume.cache(at: $1) } / positions.count
    }

    private var prefillRate: Double {
        Double(benchmark.batchSize * benchmark.inputLength) / prefill.median
    }
    private var decodeRate: Double { Double(benchmark.batchSize) / step.median }

    /// The rate at which the median step reads weights and cache.
    private var reachedBandwidth: Double? {
        benchmark.batchSize == 1 ? Double(bytesPerToken) / step.median : nil
    }

    /// The report as lines.
    public var text: String {
        var rows: [(String, String)] = [
            ("TTFT (ms)", distribution(prefill)),
            ("TPOT (ms)", distribution(step)),
            ("Prefill (tokens/s)", format(prefillRate, 1)),
            ("Decode (tokens/s)", format(decodeRate, 1)),
            ("Bytes read per token (MB)", format(Double(bytesPerToken) / 1e6, 1)),
            ("Read bandwidth of this machine (GB/s)", range(readBandwidth)),
        ]
        if let reachedBandwidth, let shareOfBandwidth {
            rows.append(("Read bandwidth reached (GB/s)", format(reachedBandwidth / 1e9, 1)))
            rows.append(("Share of the bandwidth (%)", format(100 * shareOfBandwidth, 1)))
        }
        if let peakResidentByteCount {
            rows.append(("Peak resident memory (MB)", format(Double(peakResidentByteCount) / 1e6, 1)))
        }
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { name, value in
            name + ":" + String(repeating: " ", count: width - name.count + 1) + value + "\n"
        }.joined()
    }

    /// The report as an object; times in milliseconds, rates per second.
    public var json: JSONObject {
        [
            "input_len": .integer(benchmark.inputLength), "output_len": .integer(benchmark.outputLength),
            "batch_size": .integer(benchmark.batchSize), "num_iters": .integer(benchmark.iterationCount),
            "ttft_ms": distributionJSON(prefill), "tpot_ms": distributionJSON(step),
            "prefill_tokens_per_s": .number(prefillRate), "decode_tokens_per_s": .number(decodeRate),
            "bytes_read_per_token": .integer(bytesPerToken),
            "read_bandwidth_gb_per_s": .number(readBandwidth.median / 1e9),
            "read_bandwidth_range_gb_per_s": .array([
                .number(readBandwidth.minimum / 1e9), .number(readBandwidth.maximum / 1e9),
            ]),
            "reached_bandwidth_gb_per_s": reachedBandwidth.map { .number($0 / 1e9) } ?? .null,
            "share_of_bandwidth": shareOfBandwidth.map { .number($0) } ?? .null,
            "peak_resident_bytes": peakResidentByteCount.map { .integer($0) } ?? .null,
        ]
    }

    private func distribution(_ statistics: Statistics) -> String {
        "mean \(format(1e3 * statistics.mean, 3))  median \(format(1e3 * statistics.median, 3))  "
            + "p99 \(format(1e3 * statistics.percentile(99), 3))"
    }

    private func range(_ statistics: Statistics) -> String {
        "median \(format(statistics.median / 1e9, 1))  lowest \(format(statistics.minimum / 1e9, 1))  "
            + "highest \(format(statistics.maximum / 1e9, 1))"
    }

    private func distributionJSON(_ statistics: Statistics) -> JSON {
        .object([
            "mean": .number(1e3 * statistics.mean), "median": .number(1e3 * statistics.median),
            "p99": .number(1e3 * statistics.percentile(99)),
        ])
    }

    private func format(_ value: Double, _ decimals: Int) -> String { value.formatted(decimals: decimals) }
}
