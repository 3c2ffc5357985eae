internal import CUDA
internal import CUDAKernels
internal import Models

extension SelfTest {
    /// The kernels that copy memory: their tiles, and what is left of them at the end.
    func testCopy(_ onResult: (Result) throws -> Void) throws {
        for candidate in MemoryKernel.candidates where candidate.direction == .copy {
            let (kernel, launch) = try candidate.load(from: loader.sources, loader.cache, in: loader.context)
            for pieceCount in [1, 4095, 8192, selection.isSmall ? 10_000 : 1_000_003] {
                var random = random("copy \(pieceCount)")
                let words = (0..<2 * pieceCount).map { _ in random.next() }
                let source = try DeviceBuffer<UInt64>(loader.context, count: words.count)
                let destination = try DeviceBuffer<UInt64>(loader.context, count: words.count)
                try stream.write(words, to: source)
                try stream.fill(destination, byte: 0xA5)
                try stream.launch(kernel, launch, source, destination, UInt64(pieceCount))
                let wrong = zip(try stream.read(destination), words).count { $0 != $1 }
                try onResult(
                    Result(
                        operation: "copy", name: "\(candidate.name), \(pieceCount) x 16 bytes", error: Double(wrong),
                        bound: 0))
            }
        }
    }
}
