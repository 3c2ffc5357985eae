import CUDA
import Testing

extension FakeDriverTests {
    @Suite("Memory")
    struct MemoryTests {
        let fake: FakeCUDA
        let context: Context
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            context = try fake.context()
            stream = try Stream(context)
        }

        @Test("elements written are read back, from a part too")
        func roundTrip() throws {
            let buffer = try DeviceBuffer<Int32>(context, count: 100)
            try stream.write((0..<100).map { Int32($0) }, to: buffer)
            #expect(try stream.read(buffer) == (0..<100).map { Int32($0) })
            #expect(try stream.read(buffer.part(90..<100)) == (90..<100).map { Int32($0) })
            try stream.fill(try buffer.part(0..<1), byte: 0xff)
            #expect(try stream.read(buffer.part(0..<2)) == [-1, 1])
        }

        @Test("pinned memory is copied both ways")
        func pinned() throws {
            let pinned = try PinnedBuffer<Float>(context, count: 8)
            for index in 0..<8 { pinned.elements[index] = Float(index) }
            let buffer = try DeviceBuffer<Float>(context, count: 8)
            let copy = try DeviceBuffer<Float>(context, count: 8)
            try stream.copy(pinned, to: buffer)
            try stream.copy(buffer, to: copy)
            try stream.fill(buffer, byte: 0)
            try stream.copy(buffer, to: pinned)
            try stream.synchronize()
            #expect(pinned.elements.allSatisfy { $0 == 0 })
            #expect(try stream.read(copy) == (0..<8).map { Float($0) })
        }

        @Test("running out of memory says how much was asked for and is free, and changes nothing")
        func outOfMemory() throws {
            let first = try DeviceBuffer<UInt8>(context, count: 1 << 29)
            let error = #expect(throws: CUDAError.self) { try DeviceBuffer<UInt8>(context, count: 1 << 30) }
            #expect(error?.code == .outOfMemory)
            #expect(error?.call == "cuMemAlloc_v2")
            #expect(error?.message.contains("\(1 << 30) bytes asked for, \(1 << 29) are free") == true)
            try stream.fill(first, byte: 7)
            _ = try DeviceBuffer<UInt8>(context, count: 1 << 28)
        }

        @Test("empty buffers allocate nothing and can be copied")
        func empty() throws {
            let before = try fake.liveCount()
            let buffer = try DeviceBuffer<Float>(context, count: 0)
            let pinned = try PinnedBuffer<Float>(context, count: 0)
            try stream.write([], to: buffer)
            try stream.copy(pinned, to: buffer)
            try stream.fill(buffer, byte: 1)
            #expect(try stream.read(buffer) == [])
            #expect(try fake.liveCount() == before)
        }

        @Test("impossible counts, parts and copies are refused")
        func refusals() throws {
            let buffer = try DeviceBuffer<Int64>(context, count: 4)
            func refused(_ what: String, _ body: () throws -> Void) {
                let error = #expect(throws: CUDAError.self, Comment(rawValue: what)) { try body() }
                #expect(error?.code == .invalidArgument, Comment(rawValue: what))
            }
            refused("negative count") { _ = try DeviceBuffer<Int64>(context, count: -1) }
            refused("overflowing count") { _ = try DeviceBuffer<Int64>(context, count: .max) }
            refused("overflowing pinned count") { _ = try PinnedBuffer<Int64>(context, count: .max / 4) }
            refused("negative size") { _ = try DeviceMemory(context, byteCount: -8) }
            refused("part behind the end") { _ = try buffer.part(2..<5) }
            refused("unaligned part") { _ = try DeviceBuffer<Int64>(buffer.memory, byteOffset: 4, count: 1) }
            refused("part before the start") { _ = try DeviceBuffer<Int64>(buffer.memory, byteOffset: -8, count: 1) }
            refused("overflowing part") { _ = try DeviceBuffer<UInt8>(buffer.memory, byteOffset: .max, count: .max) }
            refused("too few elements") { try stream.write([1, 2], to: buffer) }
            refused("other size") { try stream.copy(buffer, to: try DeviceBuffer<Int64>(context, count: 3)) }
            #expect(try fake.misuse() == nil)
        }

        @Test("streams wait for events, and events tell the time between them")
        func events() throws {
            let start = try Event(context)
            let end = try Event(context)
            let untimed = try Event(context, isTimed: false)
            let buffer = try DeviceBuffer<UInt8>(context, count: 16)
            try start.record(on: stream)
            for _ in 0..<5 { try stream.fill(buffer, byte: 1) }
            try end.record(on: stream)
            try untimed.record(on: stream)
            try Stream(context).wait(for: untimed)
            try end.synchronize()
            #expect(try end.duration(since: start) == .microseconds(5))
            #expect(throws: CUDAError.self) { try untimed.duration(since: start) }
        }

        @Test("everything may be used from other threads")
        func threads() async throws {
            let buffer = try DeviceBuffer<Int32>(context, count: 64)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<64 {
                    group.addTask { [context, stream] in
                        let value = try DeviceBuffer<Int32>(context, count: 1)
                        try stream.write([Int32(index)], to: value)
                        try stream.copy(value, to: buffer.part(index..<index + 1))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try stream.read(buffer) == (0..<64).map { Int32($0) })
            #expect(try fake.misuse() == nil)
        }
    }
}
