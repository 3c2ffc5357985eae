import Testing

@testable import Kernels

struct ActivationsTests {
    private let backend: CPUBackend

    init() throws { backend = try CPUBackend(threadCount: 1) }

    @Test("allocates aligned zeros")
    func allocation() throws {
        for size in [(0, 0), (1, 1), (3, 5), (100, 77)] {
            let buffer = try backend.makeActivations(rowCount: size.0, columnCount: size.1)
            #expect(UInt(bitPattern: buffer.row(size.0 / 2)) % 64 == 0)
            #expect(try backend.read(buffer, rowCount: size.0) == Array(repeating: 0, count: size.0 * size.1))
        }
    }

    @Test("refuses sizes that overflow", arguments: [(-1, 1), (1, -1), (.max, 2), (1 << 40, 1 << 40), (.max / 8, 1)])
    func overflow(rowCount: Int, columnCount: Int) {
        #expect(throws: KernelError.self) {
            try backend.makeActivations(rowCount: rowCount, columnCount: columnCount)
        }
    }

    @Test("writes whole rows, and refuses others")
    func write() throws {
        let buffer = try backend.makeActivations(rowCount: 3, columnCount: 17)
        let values = (0..<34).map(Float.init)
        try buffer.write(values)
        #expect(try backend.read(buffer, rowCount: 3) == values + [Float](repeating: 0, count: 17))
        #expect(throws: KernelError.self) { try buffer.write([Float](repeating: 1, count: 18)) }
        #expect(throws: KernelError.self) { try buffer.write([Float](repeating: 1, count: 68)) }
        #expect(try backend.read(buffer, rowCount: 2) == values)
    }

    @Test("gathers rows in the given order")
    func gather() throws {
        let input = try backend.makeActivations([[1, 2], [3, 4], [5, 6]])
        let output = try backend.makeActivations(rowCount: 4, columnCount: 2)
        try backend.gather([2, 0, 2], from: input, into: output)
        #expect(try backend.read(output, rowCount: 4) == [5, 6, 1, 2, 5, 6, 0, 0])
        #expect(throws: KernelError.self) { try backend.gather([3], from: input, into: output) }
        #expect(throws: KernelError.self) { try backend.gather([-1], from: input, into: output) }
        #expect(throws: KernelError.self) { try backend.gather([0, 0, 0, 0, 0], from: input, into: output) }
    }

    @Test("refuses to read more rows than there are")
    func read() throws {
        let buffer = try backend.makeActivations([[1, 2], [3, 4]])
        #expect(try backend.read(buffer, rowCount: 1) == [1, 2])
        #expect(throws: KernelError.self) { try backend.read(buffer, rowCount: 3) }
        #expect(throws: KernelError.self) { try backend.read(buffer, rowCount: -1) }
    }
}
