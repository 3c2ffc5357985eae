import Synchronization

/// The packing of all matrices of a layer, shared evenly among the threads.
///
/// The matrices are packed in runs of blocks. A window ahead of the runs, their file is being read, and some runs after,
/// it is given back, so that neither the disk nor the processors wait and no matrix is in memory twice.
struct PackingPlan {
    /// Some blocks of a matrix.
    private struct Run {
        let matrix: Int
        let blocks: Range<Int>
    }

    /// Counts the runs of a batch that are still to be packed.
    private final class Batch: Sendable {
        let unfinishedRunCount: Atomic<Int>

        init(runCount: Int) { unfinishedRunCount = Atomic(runCount) }
    }

    private var matrices: [(source: WeightMatrix, packed: PackedMatrix)] = []

    /// Bytes of a run, unless a block has more: little enough to share a layer evenly.
    private static let runByteCount = 256 << 10
    /// Runs that are read ahead: 2 MiB, what a fast disk delivers while it answers a request.
    private static let windowRunCount = 8
    /// Runs whose pages are given back at once, as every thread has to hear of it: 4 MiB.
    private static let batchRunCount = 16

    /// Adds a matrix that has a place.
    mutating func add(_ packed: PackedMatrix, packing source: WeightMatrix) { matrices.append((source, packed)) }

    /// Packs and discards all matrices.
    ///
    /// - Throws: ``KernelError`` if a block scale is NaN, or there is no memory for what does not fit in a block.
    func run(on pool: ThreadPool) throws(KernelError) {
        let runs = runs(threadCount: pool.threadCount)
        let batches = stride(from: 0, to: runs.count, by: Self.batchRunCount).map { first in
            Batch(runCount: min(Self.batchRunCount, runs.count - first))
        }
        for run in runs.prefix(Self.windowRunCount) { prefetch(run) }
        // The matrix and block that come first, so that the message does not depend on the threads.
        let failed = Atomic<Int>(.max)
        pool.run(runs.count) { index in
            if index + Self.windowRunCount < runs.count { prefetch(runs[index + Self.windowRunCount]) }
            let run = runs[index]
            let (source, packed) = matrices[run.matrix]
            if let block = packed.pack(run.blocks, of: source) {
                failed.min(run.matrix << 32 | block, ordering: .relaxed)
            }
            let batch = index / Self.batchRunCount
            let unfinished = batches[batch].unfinishedRunCount.subtract(1, ordering: .acquiringAndReleasing)
            if unfinished.newValue == 0 {
                let first = batch * Self.batchRunCount
                discard(runs[first..<min(first + Self.batchRunCount, runs.count)])
            }
        }
        for (source, _) in matrices { source.discard() }
        let failure = failed.load(ordering: .relaxed)
        if failure != .max { throw matrices[failure >> 32].packed.failure(packing: failure & 0xFFFF_FFFF) }
    }

    private func runs(threadCount: Int) -> [Run] {
        let byteCount = matrices.reduce(0) { $0 + $1.packed.shape.byteCount }
        // A layer that is too small for whole runs is still worth the work of all threads.
        let runByteCount = min(Self.runByteCount, byteCount / (4 * threadCount))
        var runs: [Run] = []
        for (index, matrix) in matrices.enumerated() {
            let shape = matrix.packed.shape
            let blocksPerRun = max(1, runByteCount / shape.blockBytes)
            for first in stride(from: 0, to: shape.blockCount, by: blocksPerRun) {
                runs.append(Run(matrix: index, blocks: first..<min(first + blocksPerRun, shape.blockCount)))
            }
        }
        return runs
    }

    private func prefetch(_ run: Run) {
        for (bytes, pages) in spans(of: run) { pages.prefetch(bytes) }
    }

    /// Gives back everything from the first to the last byte in each file: tensors of a layer lie beside each other.
    private func discard(_ runs: ArraySlice<Run>) {
        var ranges: [(start: UnsafeRawPointer, end: UnsafeRawPointer, pages: any PagedBytes)] = []
        for (bytes, pages) in runs.flatMap(spans) {
            guard let start = bytes.baseAddress else { continue }
            let end = start + bytes.count
            if let index = ranges.firstIndex(where: { $0.pages === pages }) {
                ranges[index].start = min(ranges[index].start, start)
                ranges[index].end = max(ranges[index].end, end)
            } else {
                ranges.append((start, end, pages))
            }
        }
        for range in ranges {
            range.pages.discard(UnsafeRawBufferPointer(start: range.start, count: range.end - range.start))
        }
    }

    private func spans(of run: Run) -> [(bytes: UnsafeRawBufferPointer, pages: any PagedBytes)] {
        let (source, packed) = matrices[run.matrix]
        return source.spans(ofRows: packed.shape.rows(ofBlocks: run.blocks))
    }
}
