import Synchronization
import TestSupport
import Testing

@testable import Kernels

/// How packing fetches and gives back the pages of a checkpoint.
struct PackingPlanTests {
    /// Pages that remember what was asked of them.
    private final class RecordedPages: PagedBytes, @unchecked Sendable {
        struct Record {
            var prefetched: [Range<Int>] = []
            var discarded: [Range<Int>] = []
            /// Bytes that were prefetched and not yet discarded, at most.
            var largestHeldByteCount = 0
        }

        let record = Mutex(Record())
        let bytes: UnsafeMutableRawBufferPointer

        init(byteCount: Int) {
            bytes = .allocate(byteCount: byteCount, alignment: 64)
            bytes.initializeMemory(as: UInt8.self, repeating: 0x30)
        }

        deinit { bytes.deallocate() }

        func strided(rowStride: Int, columnStride: Int) throws -> StridedBytes {
            let base = try #require(UnsafeRawPointer(bytes.baseAddress))
            return StridedBytes(base: base, rowStride: rowStride, columnStride: columnStride, pages: self)
        }

        func prefetch(_ part: UnsafeRawBufferPointer) {
            let range = range(of: part)
            record.withLock {
                $0.prefetched.append(range)
                let end = $0.discarded.map(\.upperBound).max() ?? 0
                $0.largestHeldByteCount = max($0.largestHeldByteCount, range.upperBound - end)
            }
        }

        func discard(_ part: UnsafeRawBufferPointer) {
            let range = range(of: part)
            record.withLock { $0.discarded.append(range) }
        }

        private func range(of part: UnsafeRawBufferPointer) -> Range<Int> {
            guard let base = bytes.baseAddress, let start = part.baseAddress else { return 0..<0 }
            return start - UnsafeRawPointer(base)..<start - UnsafeRawPointer(base) + part.count
        }
    }

    private static func covers(_ ranges: [Range<Int>], _ count: Int) -> Bool {
        var end = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound <= end {
            end = max(end, range.upperBound)
        }
        return end == count
    }

    @Test("holds a small part of a large matrix at a time, and leaves out no byte")
    func largeMatrix() throws {
        let (rowCount, columnCount) = (20_011, 512)
        let pages = RecordedPages(byteCount: rowCount * columnCount * 2)
        let matrix = WeightMatrix(
            name: "large", rowCount: rowCount, columnCount: columnCount,
            elements: try pages.strided(rowStride: columnCount * 2, columnStride: 2), encoding: .bfloat16)
        _ = try CPUBackend(threadCount: 1).makeLinear([matrix], bias: nil)
        let record = pages.record.withLock { $0 }
        #expect(Self.covers(record.prefetched, pages.bytes.count))
        #expect(Self.covers(record.discarded, pages.bytes.count))
        #expect(record.largestHeldByteCount < 8 << 20)
    }

    @Test("gives back codes and scales, also where rows are spread over the matrix", arguments: [false, true])
    func packedMatrix(isTransposed: Bool) throws {
        let (rowCount, columnCount) = (96, 64)
        let codes = RecordedPages(byteCount: rowCount * columnCount / 2)
        let scales = RecordedPages(byteCount: rowCount * columnCount / 16)
        func strided(_ pages: RecordedPages, width: Int) throws -> StridedBytes {
            try isTransposed
                ? pages.strided(rowStride: 1, columnStride: rowCount)
                : pages.strided(rowStride: width, columnStride: 1)
        }
        let matrix = WeightMatrix(
            name: "packed", rowCount: rowCount, columnCount: columnCount,
            elements: try strided(codes, width: columnCount / 2),
            encoding: .nvfp4(blockScales: try strided(scales, width: columnCount / 16), globalScale: 1))
        _ = try CPUBackend(threadCount: 2).makeLinear([matrix], bias: nil)
        for pages in [codes, scales] {
            let record = pages.record.withLock { $0 }
            #expect(Self.covers(record.prefetched, pages.bytes.count))
            #expect(Self.covers(record.discarded, pages.bytes.count))
        }
    }

    @Test("names the first matrix and rows with a scale that is NaN", arguments: [1, 2, 3])
    func failure(threadCount: Int) throws {
        let pages = RecordedPages(byteCount: 64 * 32)
        let scales = RecordedPages(byteCount: 64 * 2)
        scales.bytes[2 * 21] = 0x7F
        scales.bytes[2 * 50] = 0x7F
        let matrices = try ["first", "second"].map { name in
            WeightMatrix(
                name: name, rowCount: 64, columnCount: 32,
                elements: try pages.strided(rowStride: 16, columnStride: 1),
                encoding: .nvfp4(
                    blockScales: try scales.strided(rowStride: 2, columnStride: 1), globalScale: 1))
        }
        let error = #expect(throws: KernelError.self) {
            try CPUBackend(threadCount: threadCount).makeLinear(matrices, bias: nil)
        }
        #expect(error.map { "\($0)" } == "first: a block scale in rows 16 to 31 is NaN")
    }
}
