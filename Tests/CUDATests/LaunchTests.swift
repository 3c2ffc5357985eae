import CUDA
import Testing

extension FakeDriverTests {
    @Suite("Launches")
    struct LaunchTests {
        struct Shape: BitwiseCopyable, KernelArgument {
            var tokenCount: Int32
            var scale: Float
        }

        let fake: FakeCUDA
        let context: Context
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            context = try fake.context()
            stream = try Stream(context)
        }

        @Test("arguments arrive with their values and sizes")
        func arguments() throws {
            let kernel = try fake.kernel("mixed(const float* in, u64 count, int a, float b, u32 c)", in: context)
            let buffer = try DeviceBuffer<Float>(context, count: 8)
            try stream.launch(
                kernel, Launch(grid: 3, block: 64), buffer, UInt64(1) << 40, Int32(-2), Float(0.5), UInt32.max)
            let launch = try #require(try fake.launches().first)
            #expect(launch.kernel == "mixed")
            #expect(launch.grid == [3, 1, 1] && launch.block == [64, 1, 1] && launch.cluster == [0, 0, 0])
            #expect(!launch.overlapsPrevious && !launch.isCaptured)
            #expect(launch.parameters.count == 5)
            #expect(launch.parameters[0] == bytes(of: buffer.address))
            #expect(launch.parameters[1] == bytes(of: UInt64(1) << 40))
            #expect(launch.parameters[2] == bytes(of: Int32(-2)))
            #expect(launch.parameters[3] == bytes(of: Float(0.5)))
            #expect(launch.parameters[4] == bytes(of: UInt32.max))
        }

        @Test("a structure goes by value as it lies in memory")
        func structure() throws {
            // The fake takes what has u64 in its type for 8 bytes.
            let kernel = try fake.kernel("shaped(u64_pair shape)", in: context)
            try stream.launch(kernel, Launch(grid: 1, block: 1), Shape(tokenCount: 5, scale: 2))
            let launch = try #require(try fake.launches().first)
            #expect(launch.parameters == [bytes(of: Int32(5)) + bytes(of: Float(2))])
        }

        @Test("dimensions, cluster, shared memory and overlap reach the driver")
        func attributes() throws {
            let kernel = try fake.kernel("plain()", in: context, dynamicSharedByteCount: 100_000)
            let launch = Launch(
                grid: .init(8, 4, 2), block: .init(32, 2, 2), cluster: .init(2, 2), dynamicSharedByteCount: 99_000,
                overlapsPrevious: true)
            try stream.launch(kernel, launch)
            let seen = try #require(try fake.launches().first)
            #expect(seen.grid == [8, 4, 2] && seen.block == [32, 2, 2] && seen.cluster == [2, 2, 1])
            #expect(seen.dynamicSharedByteCount == 99_000)
            #expect(seen.overlapsPrevious)
        }

        @Test("wrong arguments are refused before the launch")
        func wrongArguments() throws {
            let kernel = try fake.kernel("two(int a, u64 b)", in: context)
            let launch = Launch(grid: 1, block: 1)
            refused("missing") { try stream.launch(kernel, launch, Int32(1)) }
            refused("too many") { try stream.launch(kernel, launch, Int32(1), UInt64(2), Int32(3)) }
            refused("wrong size") { try stream.launch(kernel, launch, Int32(1), UInt32(2)) }
            let error = #expect(throws: CUDAError.self) {
                try stream.launch(kernel, launch, Shape(tokenCount: 5, scale: 2), UInt64(2))
            }
            #expect(error?.message == "two: argument 0 is a Shape of 8 bytes, expected 4")
            #expect(try fake.launches().isEmpty)
        }

        @Test(
            "impossible launches are refused",
            arguments: [
                Launch(grid: 0, block: 32), Launch(grid: -1, block: 32), Launch(grid: .init(1, 70_000), block: 32),
                Launch(grid: .init(1 << 40), block: 32), Launch(grid: 1, block: 0), Launch(grid: 1, block: 769),
                Launch(grid: 1, block: .init(.max, .max, .max)),
                Launch(grid: 1, block: 32, dynamicSharedByteCount: 48 << 10),
                Launch(grid: 1, block: 32, dynamicSharedByteCount: -1), Launch(grid: 3, block: 32, cluster: 2),
                Launch(grid: 16, block: 32, cluster: 16), Launch(grid: 4, block: 32, cluster: 0),
            ])
        func impossible(_ launch: Launch) throws {
            let kernel = try fake.kernel("plain()", in: context)
            refused("\(launch)") { try stream.launch(kernel, launch) }
            #expect(try fake.launches().isEmpty)
        }

        @Test("clusters and overlap are refused before Hopper")
        func oldDevice() throws {
            try fake.setDevices(1, 8, 9)
            let context = try fake.context()
            let kernel = try fake.kernel("plain()", in: context)
            for launch in [
                Launch(grid: 2, block: 32, cluster: 2), Launch(grid: 1, block: 32, overlapsPrevious: true),
            ] {
                let error = #expect(throws: CUDAError.self) { try Stream(context).launch(kernel, launch) }
                #expect(error?.code == .unsupported)
            }
        }

        @Test("a kernel tells what it uses, and asks for no more shared memory than there is")
        func kernelAttributes() throws {
            let kernel = try fake.kernel("plain(int a)", in: context)
            #expect(kernel.registerCount == 40 && kernel.localByteCount == 0)
            #expect(kernel.staticSharedByteCount == 1024 && kernel.maximumThreadsPerBlock == 768)
            #expect(try kernel.blocksPerMultiprocessor(threadCount: 512) == 4)
            refused("too much") { _ = try fake.kernel("plain()", in: context, dynamicSharedByteCount: 232_000) }
            refused("no threads") { _ = try kernel.blocksPerMultiprocessor(threadCount: 0) }
        }

        @Test("what one asks of a kernel is left to those that asked for more")
        func sharedFunction() throws {
            let large = try fake.kernel("plain()", in: context, dynamicSharedByteCount: 100_000)
            let small = try large.module.kernel("plain", dynamicSharedByteCount: 60_000)
            for (kernel, byteCount) in [(small, 60_000), (large, 100_000)] {
                try stream.launch(kernel, Launch(grid: 1, block: 32, dynamicSharedByteCount: byteCount))
            }
            #expect(try fake.launches().map(\.dynamicSharedByteCount) == [60_000, 100_000])
        }

        @Test("a kernel that is not there is refused by name")
        func missingKernel() throws {
            let module = try fake.kernel("plain()", in: context).module
            let error = #expect(throws: CUDAError.self) { try module.kernel("other") }
            #expect(error?.message.contains("other in test.cu") == true)
        }

        @Test("what is not compiled code is refused", arguments: [0, 8, 100])
        func notCode(_ byteCount: Int) {
            let error = #expect(throws: CUDAError.self) {
                try Module(context, cubin: [UInt8](repeating: 1, count: byteCount), name: "noise")
            }
            #expect(error?.code == .unsupported)
        }

        private func refused(_ what: Comment, _ body: () throws -> Void) {
            let error = #expect(throws: CUDAError.self, what) { try body() }
            #expect(error?.code == .invalidArgument, what)
        }

        private func bytes<Value: BitwiseCopyable>(of value: Value) -> [UInt8] {
            withUnsafeBytes(of: value) { Array($0) }
        }
    }
}
