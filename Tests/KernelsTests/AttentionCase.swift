import TestSupport

@testable import Kernels

/// An attention layer with random sequences, run by the backend in steps.
struct AttentionCase {
    var attention: Attention<[Float]>
    /// The projected rows of each sequence.
    var sequences: [[[Float]]]

    init(
        queryHeadCount: Int = 4, keyValueHeadCount: Int = 2, headSize: Int = 16, mask: AttentionMask = .causal,
        lengths: [Int], seed: UInt64 = 1
    ) {
        attention = Attention(
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize, scale: 0.7,
            rotary: nil, headNorm: .none, mask: mask, temperature: nil, sinks: nil)
        var random = SeededRandom(seed: seed)
        let size = attention.projectedSize
        sequences = lengths.map { length in (0..<length).map { _ in random.floats(size, scale: 2) } }
    }

    var reference: [[[Double]]] { sequences.map { ReferenceAttention(attention: attention).outputs($0) } }

    /// The outputs of all sequences when every step takes up to `stepSize` rows of each.
    func outputs(stepSize: Int = .max, on backend: CPUBackend) throws -> [[[Float]]] {
        let attention = try attention.mapVectors(backend.makeVector)
        let longest = sequences.map(\.count).max() ?? 0
        let caches = try sequences.map { _ in try backend.makeKeyValueCache(layers: [attention], capacity: longest) }
        var outputs = sequences.map { _ in [[Float]]() }
        var start = 0
        while start < longest {
            let end = min(longest, start.addingReportingOverflow(stepSize).overflow ? longest : start + stepSize)
            var rows: [[Float]] = []
            var parts: [SequenceRows<CPUKeyValueCache>] = []
            for (sequence, cache) in zip(sequences, caches) where sequence.count > start {
                let added = sequence[start..<min(end, sequence.count)]
                let range = rows.count..<rows.count + added.count
                parts.append(SequenceRows(cache: cache, rows: range, firstPosition: start))
                rows += added
            }
            var results = try run(rows, parts, attention, on: backend)[...]
            for (index, sequence) in sequences.enumerated() where sequence.count > start {
                let count = min(end, sequence.count) - start
                outputs[index] += results.prefix(count)
                results = results.dropFirst(count)
            }
            start = end
        }
        return outputs
    }

    private func run(
        _ rows: [[Float]], _ parts: [SequenceRows<CPUKeyValueCache>], _ attention: Attention<CPUVector>,
        on backend: CPUBackend
    ) throws -> [[Float]] {
        let size = attention.queryHeadCount * attention.headSize
        let projected = try backend.makeActivations(rows)
        let output = try backend.makeActivations(rowCount: rows.count, columnCount: size)
        try backend.prepareHeads(projected, attention: attention, layer: 0, sequences: parts)
        try backend.attend(projected, attention: attention, layer: 0, sequences: parts, into: output)
        let values = try backend.read(output, rowCount: rows.count)
        return stride(from: 0, to: values.count, by: size).map { Array(values[$0..<$0 + size]) }
    }
}

extension CPUBackend {
    /// A buffer with the given rows.
    func makeActivations(_ rows: [[Float]]) throws -> CPUActivations {
        let buffer = try makeActivations(rowCount: rows.count, columnCount: rows.first?.count ?? 0)
        for (index, row) in rows.enumerated() {
            for (column, value) in row.enumerated() { buffer.row(index)[column] = value }
        }
        return buffer
    }
}

/// The largest difference between two nested arrays of the same shape; infinite if the shapes differ or NaN occurs.
func largestDifference(_ actual: [[[Float]]], _ expected: [[[Double]]]) -> Double {
    let (actual, expected) = (actual.joined().joined(), expected.joined().joined())
    return largestDifference(Array(actual), Array(expected))
}

func largestDifference(_ actual: [Float], _ expected: [Double]) -> Double {
    guard actual.count == expected.count else { return .infinity }
    return zip(actual, expected).reduce(0) { largest, pair in
        let difference = abs(Double(pair.0) - pair.1)
        return difference.isNaN ? .infinity : max(largest, difference)
    }
}
