internal import Dispatch
import ModelFiles
import Synchronization

/// Has the disk read a checkpoint's tensors while those before them are packed.
///
/// Packing asks for its own matrices a little ahead; this asks for what comes next, so that the disk has something to do
/// also between two matrices, and where small tensors are read that others wait for.
final class CheckpointReadAhead: Sendable {
    private let checkpoint: Checkpoint
    private let queue = DispatchQueue(label: "nibble.read-ahead")
    private let isStopped = Atomic<Bool>(false)

    /// Bytes that are asked for at a time.
    private static let stepByteCount = 1 << 20
    /// The most bytes that wait for packing: of larger layers, only the beginning is read ahead.
    private static let limit = 256 << 20
    /// Tensors that lie no further apart are read in one go.
    private static let largestGap = 1 << 20

    /// Reads nothing yet.
    init(_ checkpoint: Checkpoint) { self.checkpoint = checkpoint }

    /// Begins to read the tensors whose names start with a prefix, after those that were asked for before.
    func read(tensorsNamed prefix: String) {
        queue.async { self.readNow(prefix) }
    }

    /// Drops what was asked for and has not been read.
    func stop() { isStopped.store(true, ordering: .relaxed) }

    private func readNow(_ prefix: String) {
        var rest = Self.limit
        for (file, bytes) in ranges(ofTensorsNamed: prefix) {
            let bytes = bytes.prefix(rest)
            for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: Self.stepByteCount) {
                if isStopped.load(ordering: .relaxed) { return }
                file.prefetch(start..<min(start + Self.stepByteCount, bytes.endIndex))
            }
            rest -= bytes.count
        }
    }

    /// The parts of the files that hold the tensors, in the order of their bytes.
    func ranges(ofTensorsNamed prefix: String) -> [(file: MappedFile, bytes: Range<Int>)] {
        var ranges: [(file: MappedFile, bytes: Range<Int>)] = []
        let tensors = checkpoint.tensors.filter { $0.name.hasPrefix(prefix) }
        for tensor in tensors.sorted(by: { $0.byteRange.lowerBound < $1.byteRange.lowerBound }) {
            let (file, bytes) = (tensor.file, tensor.byteRange)
            let neighbour = ranges.lastIndex { $0.file === file }
            if let neighbour, bytes.lowerBound - ranges[neighbour].bytes.upperBound <= Self.largestGap {
                ranges[neighbour].bytes = ranges[neighbour].bytes.lowerBound..<bytes.upperBound
            } else {
                ranges.append((file, bytes))
            }
        }
        return ranges
    }
}
