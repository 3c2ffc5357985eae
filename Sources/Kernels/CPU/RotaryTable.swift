#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The cosines and sines of a step's positions, computed once for all layers with the same embedding.
struct RotaryTable {
    private var rotary: RotaryEmbedding?
    private var positions: [Int] = []
    private var buffer = GrowingBuffer()

    /// The cosines of all pairs, and then the sines, of one row after the other.
    struct Rows {
        fileprivate let base: UnsafeMutablePointer<Float>
        fileprivate let pairCount: Int

        func cosines(_ row: Int) -> UnsafeMutablePointer<Float> { base + row * 2 * pairCount }
        func sines(_ row: Int) -> UnsafeMutablePointer<Float> { cosines(row) + pairCount }
    }

    /// The rows for the positions of a step, valid until the next call.
    ///
    /// The angle is the float32 product of position and inverse frequency, as in transformers: at position 100,000
    /// its rounding moves a cosine by up to 0.004, so a more exact angle would give other logits.
    mutating func rows(
        of rotary: RotaryEmbedding, for steps: [StepRow], pool: ThreadPool
    ) throws(KernelError) -> Rows {
        let pairCount = rotary.inverseFrequencies.count
        let rows = Rows(
            base: try buffer.reserve(rowCount: steps.count, columnCount: 2 * pairCount), pairCount: pairCount)
        if rotary == self.rotary, steps.count == positions.count,
            zip(steps, positions).allSatisfy({ $0.position == $1 })
        {
            return rows
        }
        self.rotary = rotary
        positions.removeAll(keepingCapacity: true)
        positions.append(contentsOf: steps.lazy.map(\.position))

        // A cosine and a sine take about as long as 64 multiplications.
        pool.runInRanges(steps.count, operationCount: steps.count * pairCount * 64) { range in
            for row in range {
                let position = Float(steps[row].position)
                for (pair, frequency) in rotary.inverseFrequencies.enumerated() {
                    let angle = position * frequency
                    rows.cosines(row)[pair] = cosf(angle) * rotary.magnitude
                    rows.sines(row)[pair] = sinf(angle) * rotary.magnitude
                }
            }
        }
        return rows
    }
}
