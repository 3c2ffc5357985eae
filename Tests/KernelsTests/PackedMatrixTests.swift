import Synchronization
import TestSupport
import Testing

@testable import Kernels

struct PackedMatrixTests {
    private func packed(_ matrix: WeightMatrix) throws -> PackedMatrix {
        try #require(CPUBackend(threadCount: 2).makeLinear([matrix], bias: nil).parts.first)
    }

    private func rows(of matrix: PackedMatrix) -> [Float] {
        let columnCount = matrix.shape.columnCount
        return (0..<matrix.shape.rowCount).flatMap { row in
            [Float](unsafeUninitializedCapacity: columnCount) { buffer, count in
                if let base = buffer.baseAddress { matrix.readRow(row, into: base) }
                count = columnCount
            }
        }
    }

    @Test(
        "keeps every value of every layout", arguments: MatrixCase.formats, MatrixCase.Layout.allCases)
    func roundTrip(format: MatrixCase.Format, layout: MatrixCase.Layout) throws {
        var random = SeededRandom(seed: 1)
        for (rowCount, columnCount) in [(1, 32), (15, 96), (16, 160), (17, 64), (50, 320)] {
            let test = MatrixCase(
                format, rowCount: rowCount, columnCount: columnCount, layout: layout, random: &random)
            let values = rows(of: try packed(test.matrix))
            // The product with the global scale is rounded once.
            #expect(zip(values, test.values).allSatisfy { abs(Double($0) - $1) <= 0x1p-24 * abs($1) })
        }
    }

    @Test("keeps odd numbers of columns", arguments: [MatrixCase.Format.float32, .float16, .bfloat16])
    func oddColumns(format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 2)
        for columnCount in [1, 3, 17] {
            let test = MatrixCase(format, rowCount: 18, columnCount: columnCount, random: &random)
            #expect(try rows(of: packed(test.matrix)).map(Double.init) == test.values)
        }
    }

    @Test("keeps every block scale, also negative ones and subnormals")
    func blockScales() throws {
        var random = SeededRandom(seed: 3)
        let e4m3 = (UInt8(0)...255).filter { $0 & 0x7f != 0x7f }
        let nvfp4 = MatrixCase(.nvfp4, rowCount: 127, columnCount: 32, scaleBytes: e4m3, random: &random)
        let values = rows(of: try packed(nvfp4.matrix))
        #expect(zip(values, nvfp4.values).allSatisfy { abs(Double($0) - $1) <= 0x1p-24 * abs($1) })

        // Up to 2^125: 6 * 2^126 has no float32.
        let mxfp4 = MatrixCase(
            .mxfp4, rowCount: 126, columnCount: 64, scaleBytes: Array(0...252), random: &random)
        #expect(try rows(of: packed(mxfp4.matrix)).map(Double.init) == mxfp4.values)
    }

    @Test(
        "keeps lines of plain block scales, and those with others among them",
        arguments: [MatrixCase.Format.nvfp4, .mxfp4])
    func linesOfBlockScales(format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 7)
        let plain = format == .nvfp4 ? Array(UInt8(8)...126) : Array(0...252)
        // Blocks of 16 rows with whole lines of scales, a part of a line, and missing rows; the odd scales wander.
        for scaleBytes in [plain, [0] + plain, plain + [3], format == .nvfp4 ? plain + [0x88, 0x80] : plain] {
            for (rowCount, columnCount) in [(32, 256), (48, 320), (40, 256)] {
                let test = MatrixCase(
                    format, rowCount: rowCount, columnCount: columnCount, scaleBytes: scaleBytes, random: &random)
                let values = rows(of: try packed(test.matrix))
                #expect(zip(values, test.values).allSatisfy { abs(Double($0) - $1) <= 0x1p-24 * abs($1) })
            }
        }
    }

    @Test("keeps every half-precision number")
    func halves() throws {
        let bits = (UInt16.min...UInt16.max).map { $0.littleEndian }
        try bits.withUnsafeBytes { bytes in
            let base = try #require(bytes.baseAddress)
            let elements = StridedBytes(base: base, rowStride: 512, columnStride: 2)
            let matrix = WeightMatrix(
                name: "halves", rowCount: 256, columnCount: 256, elements: elements, encoding: .float16, onDiscard: {})
            let values = rows(of: try packed(matrix))
            for (value, bits) in zip(values, UInt16.min...UInt16.max) {
                let expected = Float(Float16(bitPattern: bits))
                #expect(value == expected && value.sign == expected.sign || value.isNaN && expected.isNaN)
            }
        }
    }

    @Test("takes no more memory than the checkpoint, but for rows that complete a block", arguments: MatrixCase.formats)
    func memory(format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 4)
        let test = MatrixCase(format, rowCount: 32, columnCount: 256, random: &random)
        let (byteCount, expected) = (try packed(test.matrix).byteCount, test.matrix.byteCount)
        if format == .bfloat16 {
            #expect(byteCount * 5 < expected * 4)
        } else {
            #expect(byteCount == expected)
        }
    }

    @Test("discards what it has read", arguments: MatrixCase.formats)
    func discards(format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 5)
        let test = MatrixCase(format, rowCount: 3, columnCount: 64, random: &random)
        _ = try packed(test.matrix)
        #expect(test.memory.discardCount.load(ordering: .relaxed) == 1)
    }

    @Test("refuses shapes that no kernel takes")
    func shapes() throws {
        var random = SeededRandom(seed: 6)
        let elements = MatrixCase(.float32, rowCount: 1, columnCount: 1, random: &random).matrix.elements
        func refusal(rowCount: Int, columnCount: Int, _ encoding: WeightMatrix.Encoding) -> String? {
            let matrix = WeightMatrix(
                name: "w", rowCount: rowCount, columnCount: columnCount, elements: elements, encoding: encoding,
                onDiscard: {})
            do {
                _ = try packed(matrix)
                return nil
            } catch { return "\(error)" }
        }
        #expect(
            refusal(rowCount: 16, columnCount: 24, .nvfp4(blockScales: elements, globalScale: 1))
                == "w: 24 columns, expected a multiple of 16")
        #expect(
            refusal(rowCount: 16, columnCount: 48, .mxfp4(blockScales: elements))
                == "w: 48 columns, expected a multiple of 32")
        for (rowCount, columnCount) in [(0, 16), (16, 0), (-1, 16), (Int.max, 16), (16, Int.max - 15)] {
            #expect(
                refusal(rowCount: rowCount, columnCount: columnCount, .bfloat16)?.contains("expected 1 to") == true)
        }
        #expect(refusal(rowCount: 1 << 30, columnCount: 1 << 30, .float32)?.contains("no memory for") == true)
    }

    @Test("refuses a block scale that is NaN")
    func scaleIsNaN() throws {
        var random = SeededRandom(seed: 7)
        let scales = [UInt8](repeating: 0x38, count: 39) + [0x7f]
        let nvfp4 = MatrixCase(.nvfp4, rowCount: 20, columnCount: 32, scaleBytes: scales, random: &random)
        #expect(throws: KernelError("nvfp4[20, 32]: a block scale in rows 16 to 19 is NaN")) {
            try packed(nvfp4.matrix)
        }
        let mxfp4 = MatrixCase(.mxfp4, rowCount: 1, columnCount: 32, scaleBytes: [0xff], random: &random)
        #expect(throws: KernelError("mxfp4[1, 32]: a block scale in rows 0 to 0 is NaN")) {
            try packed(mxfp4.matrix)
        }
    }
}
