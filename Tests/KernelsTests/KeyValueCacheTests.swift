import Testing

@testable import Kernels

struct KeyValueCacheTests {
    private let backend: CPUBackend

    init() throws { backend = try CPUBackend(threadCount: 1) }

    /// Appends rows of zeros.
    private func append(
        _ count: Int, at position: Int, to cache: CPUKeyValueCache, _ attention: Attention<CPUVector>
    ) throws {
        let projected = try backend.makeActivations(rowCount: max(count, 1), columnCount: attention.projectedSize)
        try backend.prepareHeads(
            projected, attention: attention, layer: 0,
            sequences: [SequenceRows(cache: cache, rows: 0..<count, firstPosition: position)])
    }

    private func layer(_ mask: AttentionMask = .causal) throws -> Attention<CPUVector> {
        try AttentionCase(mask: mask, lengths: []).attention.mapVectors(backend.makeVector)
    }

    @Test("refuses positions beyond its capacity")
    func capacity() throws {
        let attention = try layer()
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 70)
        try append(70, at: 0, to: cache, attention)
        let error = #expect(throws: KernelError.self) { try append(1, at: 70, to: cache, attention) }
        #expect(error?.description == "1 positions from 70 exceed the key-value cache's 70")
        #expect(throws: KernelError.self) { try append(1, at: .max, to: cache, attention) }
        #expect(throws: KernelError.self) { try append(1, at: -1, to: cache, attention) }
    }

    @Test("refuses a gap")
    func gap() throws {
        let attention = try layer()
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 200)
        try append(10, at: 0, to: cache, attention)
        #expect(throws: KernelError.self) { try append(1, at: 11, to: cache, attention) }
        try append(1, at: 10, to: cache, attention)
    }

    @Test("allocates memory as positions are filled")
    func growth() throws {
        let attention = try layer()
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 1 << 20)
        #expect(cache.byteCount == 0)
        try append(1, at: 0, to: cache, attention)
        let blockByteCount = cache.byteCount
        #expect(blockByteCount == 64 * 2 * 2 * 16 * 4)
        try append(64, at: 1, to: cache, attention)
        #expect(cache.byteCount == 2 * blockByteCount)
    }

    @Test("is refused memory that the system does not have, when a piece of it is about to be taken")
    func refusal() throws {
        var available = 1 << 30
        let memory = KeyValueMemory(availableByteCount: { available })
        let valueCount = (1 << 20) / MemoryLayout<Float>.size
        for _ in 0..<3 { _ = try memory.takeBlock(valueCount: valueCount) }
        available = 0
        _ = try memory.takeBlock(valueCount: valueCount)
        let error = #expect(throws: KernelError.self) { try memory.takeBlock(valueCount: valueCount) }
        #expect(error?.description == "a key-value cache: no memory for \(1 << 20) bytes, 0 are available")
        available = 1 << 20
        _ = try memory.takeBlock(valueCount: valueCount)
    }

    @Test("places blocks apart from each other, in small and in large pages")
    func blocks() throws {
        let memory = KeyValueMemory()
        let valueCount = 40_000
        var blocks: [UnsafeMutablePointer<Float>] = []
        // 7.5 MB, of which the first 2 MB are in small pages.
        for index in 0..<47 {
            let block = try memory.takeBlock(valueCount: valueCount)
            #expect(Int(bitPattern: block) % 64 == 0)
            #expect(UnsafeBufferPointer(start: block, count: valueCount).allSatisfy { $0 == 0 })
            block.update(repeating: Float(index + 1), count: valueCount)
            blocks.append(block)
        }
        for (index, block) in blocks.enumerated() {
            #expect(UnsafeBufferPointer(start: block, count: valueCount).allSatisfy { $0 == Float(index + 1) })
        }
    }

    @Test("keeps only what later positions see", arguments: [AttentionMask.slidingWindow(100), .chunked(100)])
    func dropping(mask: AttentionMask) throws {
        let attention = try layer(mask)
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 2000)
        for position in 0..<2000 { try append(1, at: position, to: cache, attention) }
        #expect(cache.byteCount <= 3 * 64 * 2 * 2 * 16 * 4)
        let error = #expect(throws: KernelError.self) { try append(1, at: 1000, to: cache, attention) }
        #expect(error?.description.contains("are needed of a key-value cache that holds") == true)
    }

    @Test("continues from an earlier position")
    func rewinding() throws {
        let attention = try layer()
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 200)
        try append(150, at: 0, to: cache, attention)
        try append(1, at: 10, to: cache, attention)
        #expect(throws: KernelError.self) { try append(1, at: 12, to: cache, attention) }
    }

    @Test("refuses capacities out of range", arguments: [0, -1, .min, .max])
    func capacities(capacity: Int) throws {
        let attention = try layer()
        #expect(throws: KernelError.self) {
            try backend.makeKeyValueCache(layers: [attention], capacity: capacity)
        }
    }

    @Test("refuses layers whose sizes disagree")
    func shapes() throws {
        let changes: [(inout Attention<CPUVector>) throws -> Void] = [
            { $0.queryHeadCount = 3 }, { $0.queryHeadCount = 0 }, { $0.keyValueHeadCount = 0 },
            { $0.headSize = 0 }, { $0.headSize = .max }, { $0.headSize = -16 },
            { $0.mask = .chunked(0) }, { $0.mask = .slidingWindow(0) }, { $0.mask = .slidingWindow(.min) },
            { $0.rotary = RotaryEmbedding(inverseFrequencies: [1], pairing: .halfSplit) },
            { $0.sinks = try CPUVector([1]) },
            { $0.headNorm = .weightedBeforeRotation(query: try CPUVector([1]), key: try CPUVector([1]), epsilon: 1) },
        ]
        for change in changes {
            var attention = try layer()
            try change(&attention)
            #expect(throws: KernelError.self) {
                try backend.makeKeyValueCache(layers: [attention], capacity: 10)
            }
        }
    }

    @Test("refuses rows and layers that do not exist")
    func ranges() throws {
        let attention = try layer()
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 10)
        let projected = try backend.makeActivations(rowCount: 2, columnCount: attention.projectedSize)
        let output = try backend.makeActivations(rowCount: 2, columnCount: 64)
        func prepare(_ rows: Range<Int>, layer: Int = 0) throws {
            try backend.prepareHeads(
                projected, attention: attention, layer: layer,
                sequences: [SequenceRows(cache: cache, rows: rows, firstPosition: 0)])
        }
        #expect(throws: KernelError.self) { try prepare(1..<3) }
        #expect(throws: KernelError.self) { try prepare(-1..<1) }
        #expect(throws: KernelError.self) { try prepare(0..<1, layer: 1) }
        #expect(throws: KernelError.self) { try prepare(0..<1, layer: -1) }
        #expect(throws: KernelError.self) {
            try backend.attend(
                projected, attention: attention, layer: 0,
                sequences: [SequenceRows(cache: cache, rows: 0..<1, firstPosition: 0)], into: output)
        }
    }
}
