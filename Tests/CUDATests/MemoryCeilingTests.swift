import CUDA
import CUDAKernels
import Testing

extension FakeDriverTests {
    @Suite("Memory ceiling")
    struct MemoryCeilingTests {
        let fake: FakeCUDA

        init() throws { fake = try FakeCUDA() }

        @Test("measures every kernel that the GPU can run, in graphs")
        func measure() throws {
            try fake.setKernel { index in
                // What the device files say that the kernels do.
                guard let launch = try? FakeCUDA(keepingState: true).launch(index) else { return }
                // The replays are only timed.
                guard !launch.isCaptured else { return }
                let parameters = launch.parameters.map { bytes in
                    bytes.withUnsafeBytes { UInt($0.loadUnaligned(as: UInt64.self)) }
                }
                guard let source = UnsafePointer<UInt32>(bitPattern: parameters[0]) else { return }
                if launch.kernel == "copy" {
                    UnsafeMutablePointer<UInt32>(bitPattern: parameters[1])?.update(
                        from: source, count: Int(parameters[2]) * 4)
                } else {
                    let words = UnsafeBufferPointer(start: source, count: Int(parameters[1]) * 4)
                    UnsafeMutablePointer<UInt32>(bitPattern: parameters[2])?.pointee &+= words.reduce(0, &+)
                }
            }
            let ceiling = try ceiling()
            #expect(
                ceiling.measurements.map(\.kernel.path) == [
                    "any/read.cu", "sm90/read_bulk.cu", "any/copy.cu",
                ])
            // The fake takes 1 µs for every launch.
            #expect(ceiling.measurements.map(\.time) == [.microseconds(1), .microseconds(1), .microseconds(1)])
            #expect(ceiling.readBytesPerSecond == Double(2 << 20) * 1e6)
            #expect(ceiling.copyBytesPerSecond == Double(4 << 20) * 1e6)
            #expect(try fake.launches().contains { $0.isCaptured })
            #expect(try fake.misuse() == nil)
        }

        @Test("a kernel that moves nothing is an error")
        func wrongResult() throws {
            let error = #expect(throws: CUDAError.self) { try ceiling() }
            #expect(error?.message.contains("any/read.cu") == true)
        }

        @Test("kernels that the GPU cannot run are left out")
        func oldDevice() throws {
            try fake.setDevices(1, 8, 0)
            let error = #expect(throws: CUDAError.self) {
                try ceiling([.readBulk(stageCount: 2, stageByteCount: 1024), .read(loadCount: 2)])
            }
            #expect(error?.message.contains("any/read.cu") == true)
        }

        private func ceiling(
            _ kernels: [MemoryKernel] = [
                .read(loadCount: 2), .readBulk(stageCount: 2, stageByteCount: 1024), .copy(loadCount: 2),
            ]
        ) throws -> MemoryCeiling {
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            return try MemoryCeiling.measure(
                try fake.context(), sources: .embedded, cache: cache, kernels: kernels, byteCount: 2 << 20)
        }
    }
}
