import CUDA
import Testing

extension FakeDriverTests {
    @Suite("Graphs")
    struct GraphTests {
        struct Interruption: Error {}

        let fake: FakeCUDA
        let context: Context
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            context = try fake.context()
            stream = try Stream(context)
        }

        @Test("recorded work is done by each launch, and not before")
        func replay() throws {
            let source = try DeviceBuffer<UInt8>(context, count: 4)
            let destination = try DeviceBuffer<UInt8>(context, count: 4)
            try stream.write([1, 2, 3, 4], to: source)
            try stream.write([0, 0, 0, 0], to: destination)
            let kernel = try fake.kernel("plain()", in: context)
            let graph = try stream.capture {
                try stream.copy(source, to: destination)
                try stream.fill(destination.part(0..<1), byte: 9)
                try stream.launch(kernel, Launch(grid: 1, block: 32, overlapsPrevious: true))
            }
            #expect(graph.nodeCount == 3)
            #expect(try stream.read(destination) == [0, 0, 0, 0])
            try graph.upload(on: stream)
            try graph.launch(on: stream)
            #expect(try stream.read(destination) == [9, 2, 3, 4])
            try stream.write([5, 6, 7, 8], to: source)
            try graph.launch(on: stream)
            #expect(try stream.read(destination) == [9, 6, 7, 8])
            let launch = try #require(try fake.launches().first)
            #expect(launch.isCaptured && launch.overlapsPrevious)
        }

        @Test("an empty graph does nothing")
        func empty() throws {
            let graph = try stream.capture {}
            #expect(graph.nodeCount == 0)
            try graph.launch(on: stream)
            try stream.synchronize()
        }

        @Test("an error while recording is passed on, and the stream works as before")
        func interruption() throws {
            let buffer = try DeviceBuffer<UInt8>(context, count: 1)
            try stream.write([3], to: buffer)
            let before = try fake.liveCount()
            #expect(throws: Interruption.self) {
                _ = try stream.capture {
                    try stream.fill(buffer, byte: 1)
                    throw Interruption()
                }
            }
            #expect(try fake.liveCount() == before)
            #expect(try stream.read(buffer) == [3])
            #expect(try stream.capture {}.nodeCount == 0)
        }

        @Test("waiting and allocating while recording are refused by the first call that may not be made")
        func forbidden() throws {
            let waiting = #expect(throws: CUDAError.self) { _ = try stream.capture { try stream.synchronize() } }
            #expect(waiting?.call == "cuStreamSynchronize")
            let allocating = #expect(throws: CUDAError.self) {
                _ = try stream.capture { _ = try DeviceBuffer<UInt8>(context, count: 1) }
            }
            #expect(allocating?.call == "cuMemAlloc_v2")
            #expect(allocating?.name == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
            #expect(try stream.capture {}.nodeCount == 0)
        }

        @Test("work of other threads does not disturb recording")
        func otherThreads() async throws {
            let buffer = try DeviceBuffer<UInt8>(context, count: 1)
            // Recording stays on one thread; the allocation is made on another.
            let made = Task.detached { [context] in try DeviceBuffer<UInt8>(context, count: 1).count }
            let graph = try stream.capture { try stream.fill(buffer, byte: 1) }
            #expect(try await made.value == 1)
            #expect(graph.nodeCount == 1)
        }
    }
}
