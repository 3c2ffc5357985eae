import CCPUKernels
import Synchronization

extension CPUBackend {
    /// Reads a buffer once with all threads: what the memory delivers at best.
    ///
    /// - Parameter bytes: 64-byte aligned; a last part of less than 64 bytes is left out.
    public func readThrough(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let pieceByteCount = 4 << 20
        let checksum = Atomic<UInt64>(0)
        pool.run((bytes.count + pieceByteCount - 1) / pieceByteCount) { piece in
            let start = piece * pieceByteCount
            let count = min(pieceByteCount, bytes.count - start) / 64 * 64
            // The sum is used, so that no compiler leaves the reads out.
            checksum.bitwiseXor(nibble_stream_read(base + start, count), ordering: .relaxed)
        }
    }
}
