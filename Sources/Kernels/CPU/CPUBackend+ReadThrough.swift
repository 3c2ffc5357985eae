import CCPUKernels
import Synchronization

extension CPUBackend {
    /// Reads a buffer once with all threads: what the memory delivers at best.
    ///
    /// - Parameter bytes: 64-byte aligned; a last part of less than 64 bytes is left out.
    public func readThrough(_ bytes: UnsafeRawBufferPointer) { readThrough([bytes]) }

    /// Reads weights once with all threads, each its part from front to back as products do.
    public func readThrough(_ weights: WeightMemory) {
        withExtendedLifetime(weights) { readThrough(weights.spans) }
    }

    private func readThrough(_ spans: [UnsafeRawBufferPointer]) {
        let pieceByteCount = 256 << 10
        let pieces = spans.flatMap { span in
            stride(from: 0, to: span.count, by: pieceByteCount).map { start in
                UnsafeRawBufferPointer(rebasing: span[start..<min(start + pieceByteCount, span.count)])
            }
        }
        let checksum = Atomic<UInt64>(0)
        pool.runInLanes(pieces.count, operationCount: .max) { piece, _ in
            guard let base = pieces[piece].baseAddress else { return }
            // The sum is used, so that no compiler leaves the reads out.
            checksum.bitwiseXor(nibble_stream_read(base, pieces[piece].count / 64 * 64), ordering: .relaxed)
        }
    }
}
