import CUDA
import CUDAKernels
import Synchronization
import Testing

extension FakeDriverTests {
    @Suite("Failures")
    struct FailureTests {
        /// Collects the failures that have no caller.
        final class Reports: Sendable {
            let errors = Mutex<[CUDAError]>([])
        }

        let fake: FakeCUDA

        init() throws { fake = try FakeCUDA() }

        @Test(
            "a call that fails, alone or with all later ones, is an error that names it, and nothing leaks",
            arguments: [false, true])
        func eachCall(andLater: Bool) throws {
            try scenario { _ in }
            let calls = try fake.calls()
            #expect(calls.count > 100)
            #expect(try fake.liveCount() == 0)
            for number in 1...calls.count {
                _ = try FakeCUDA()
                let name = calls[number - 1]
                try fake.failCall(number, code: 999, andLater: andLater)
                let reports = Reports()
                var thrown: CUDAError?
                do {
                    try scenario { error in reports.errors.withLock { $0.append(error) } }
                } catch let error as CUDAError {
                    thrown = error
                }
                let reported = reports.errors.withLock { $0 }
                let named = [thrown?.call].compactMap { $0 } + reported.compactMap(\.call)
                // Giving back a program of the compiler is the only call whose result changes nothing for anyone.
                let isSilent = name == "nvrtcDestroyProgram"
                #expect(named.contains(name) != isSilent, "call \(number): \(named)")
                #expect(andLater || named.count == (isSilent ? 0 : 1), "call \(number): \(named)")
                #expect(try fake.liveCount() == 0, "call \(number), \(name)")
                #expect(try fake.misuse() == nil, "call \(number), \(name)")
            }
        }

        @Test("an error says the call, the name, the number and the meaning")
        func description() throws {
            let context = try fake.context()
            let next = try fake.calls().count + 2
            try fake.failCall(next, code: 700)
            let error = #expect(throws: CUDAError.self) { try context.synchronize() }
            #expect(error?.code == .contextLost)
            #expect(
                error?.description
                    == "cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700): the words of the fake driver. "
                    + "A kernel failed and this process can no longer use the GPU: start it again")
        }

        @Test("a number that the driver has no words for is shown as it is")
        func unknownCode() throws {
            let context = try fake.context()
            try fake.failCall(try fake.calls().count + 2, code: 4321)
            let error = #expect(throws: CUDAError.self) { try context.synchronize() }
            #expect(error?.result == 4321)
            #expect(error?.name == "unknown error")
        }

        /// Uses every entry point.
        private func scenario(onReleaseFailure: @escaping @Sendable (CUDAError) -> Void) throws {
            let driver = try fake.driver(onReleaseFailure: onReleaseFailure)
            let context = try Context(try #require(try driver.devices().first))
            let stream = try Stream(context)
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            let program = try KernelSources.embedded.program("any/copy.cu", for: context.device.architecture)
            let kernel = try cache.module(program, in: context).kernel("copy", dynamicSharedByteCount: 1 << 16)
            _ = try kernel.blocksPerMultiprocessor(threadCount: 128)
            let pinned = try PinnedBuffer<UInt8>(context, count: 64)
            let first = try DeviceBuffer<UInt8>(context, count: 64)
            let second = try DeviceBuffer<UInt8>(context, count: 64)
            _ = try context.freeByteCount()
            let start = try Event(context)
            let end = try Event(context)
            try start.record(on: stream)
            try stream.copy(pinned, to: first)
            let graph = try stream.capture {
                try stream.copy(first, to: second)
                try stream.fill(first, byte: 1)
                try stream.launch(kernel, Launch(grid: 1, block: 128), first, second, UInt64(4))
            }
            try graph.upload(on: stream)
            try graph.launch(on: stream)
            try end.record(on: stream)
            try stream.wait(for: end)
            try end.synchronize()
            _ = try end.duration(since: start)
            try stream.copy(second, to: pinned)
            try stream.synchronize()
            try context.synchronize()
        }
    }
}
