import CUDA
import CUDAKernels
import FP4
import Testing

extension FakeDriverTests {
    @Suite("Quantizers")
    struct QuantizerTests {
        let fake: FakeCUDA
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            stream = try Stream(try fake.context())
        }

        private func quantizer(_ quantize: Quantize) throws -> Quantizer {
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            return try quantize.load(from: .embedded, cache, on: stream)
        }

        private func launch(_ quantize: Quantize, rowCount: Int, scaleCount: Int = 1) throws {
            let count = rowCount * quantize.columnCount
            let layout = try #require(quantize.scaleLayout(rowCount: rowCount))
            try quantizer(quantize).launch(
                on: stream, input: try DeviceBuffer(stream.context, count: count), rowCount: rowCount,
                encodeScales: try DeviceBuffer(stream.context, count: scaleCount),
                codes: try DeviceBuffer(stream.context, count: count / 2),
                scales: try DeviceBuffer(stream.context, count: layout.byteCount))
        }

        @Test(
            "has blocks for the data and for the padding",
            arguments: [
                // 320 blocks of 16 in a row, a thread each; the padding is words of four scales.
                (ScaleLayout.Tiling.linear, 1, 3), (.linear, 64, 160), (.tiles8x4, 1, 3 + 5), (.tiles8x4, 64, 160),
                (.tiles128x4, 1, 3 + 80), (.tiles128x4, 128, 320), (.tiles128x4, 129, 323 + 80),
            ])
        func blocks(tiling: ScaleLayout.Tiling, rowCount: Int, blockCount: UInt32) throws {
            try launch(Quantize(.nvfp4(.given, .exact), tiling: tiling, columnCount: 5120), rowCount: rowCount)
            let launches = try fake.launches()
            #expect(launches.map(\.kernel) == ["quantize"])
            #expect(launches.first?.grid == [blockCount, 1, 1])
            #expect(launches.first?.block == [128, 1, 1])
            #expect(launches.first?.overlapsPrevious == true)
        }

        @Test("gives a block to a row that has a scale of its own", arguments: [(5120, 320), (16, 32), (24576, 768)])
        func rows(columnCount: Int, threadCount: UInt32) throws {
            try launch(
                Quantize(.nvfp4(.perRow, .exact), columnCount: columnCount), rowCount: 7, scaleCount: 7)
            let launch = try #require(try fake.launches().first)
            #expect(launch.grid == [7, 1, 1] && launch.block == [threadCount, 1, 1])
        }

        @Test("finds a tensor's scale before it quantizes")
        func tensor() throws {
            try launch(Quantize(.nvfp4(.perTensor, .fast), columnCount: 64), rowCount: 3)
            let launches = try fake.launches()
            #expect(launches.map(\.kernel) == ["encode_scale", "quantize"])
            // Both have the address of the scale.
            #expect(launches[0].parameters[3] == launches[1].parameters[2])
        }

        @Test("no rows need no launch")
        func noRows() throws {
            try launch(Quantize(.mxfp4, tiling: .tiles128x4, columnCount: 64), rowCount: 0)
            #expect(try fake.launches().isEmpty)
        }

        @Test("does not overlap before Hopper")
        func oldDevice() throws {
            try fake.setDevices(1, 8, 0)
            let stream = try Stream(try fake.context())
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            let quantizer = try Quantize(.mxfp4, columnCount: 32).load(from: .embedded, cache, on: stream)
            try quantizer.launch(
                on: stream, input: try DeviceBuffer(stream.context, count: 32), rowCount: 1, encodeScales: nil,
                codes: try DeviceBuffer(stream.context, count: 16), scales: try DeviceBuffer(stream.context, count: 1))
            #expect(try fake.launches().first?.overlapsPrevious == false)
        }

        @Test("rows that are no whole number of blocks are refused")
        func columns() {
            refused("multiple of 16") { _ = try Quantize(.nvfp4(.given, .exact), columnCount: 24) }
            refused("multiple of 32") { _ = try Quantize(.mxfp4, columnCount: 48) }
            refused("multiple of 16") { _ = try Quantize(.nvfp4(.given, .exact), columnCount: 0) }
            refused("at most 65536") { _ = try Quantize(.nvfp4(.perRow, .exact), columnCount: 65552) }
        }

        @Test("buffers that do not fit are refused before the launch")
        func buffers() throws {
            let quantizer = try quantizer(Quantize(.nvfp4(.perRow, .exact), tiling: .tiles8x4, columnCount: 64))
            let context = stream.context
            func launch(
                _ input: Int = 192, _ rowCount: Int = 3, _ encodeScales: Int = 3, _ codes: Int = 96, _ scales: Int = 32
            ) throws {
                try quantizer.launch(
                    on: stream, input: try DeviceBuffer(context, count: input), rowCount: rowCount,
                    encodeScales: encodeScales == 0 ? nil : try DeviceBuffer(context, count: encodeScales),
                    codes: try DeviceBuffer(context, count: codes), scales: try DeviceBuffer(context, count: scales))
            }
            try launch()
            #expect(try fake.launches().count == 1)
            refused("an input of 191 elements") { try launch(191) }
            refused("encode scales of 2 elements") { try launch(192, 3, 2) }
            refused("encode scales of 0 elements") { try launch(192, 3, 0) }
            refused("codes of 95 elements") { try launch(192, 3, 3, 95) }
            refused("scales of 31 elements") { try launch(192, 3, 3, 96, 31) }
            refused("-1 rows") { try launch(192, -1) }
            refused("rows of 64 elements") { try launch(192, .max) }
            #expect(try fake.launches().count == 1)
        }
    }
}
