import FP4
import TestSupport
import Testing

@testable import Kernels

/// W4A4 adds products in the order of its references, bit for bit.
struct SumOrderTests {
    /// Those with fused multiply-add.
    private static let instructionSets = InstructionSet.available.filter { $0 != .plain }

    @Test(
        "adds the products of W4A4 in the order of the references", arguments: [1, 2, 3, 4, 9, 40],
        instructionSets)
    func products(rowCount: Int, instructionSet: InstructionSet) throws {
        let backend = try CPUBackend(threadCount: 2, activationPrecision: .nvfp4, instructionSet: instructionSet)
        var random = SeededRandom(seed: UInt64(rowCount))
        for (columnCount, outputCount) in [(64, 40), (128, 8), (256, 24), (448, 17)] {
            let matrix = MatrixCase(
                .nvfp4, rowCount: outputCount, columnCount: columnCount, inputEncodeScale: 300, random: &random)
            let rows = (0..<rowCount).map { _ in random.floats(columnCount, scale: 2) }
            let weights = expandedRows(matrix.matrix)
            let linear = try backend.makeLinear([matrix.matrix], bias: nil)
            let output = try backend.makeActivations(rowCount: rowCount, columnCount: outputCount)
            try backend.apply(
                linear, to: backend.makeActivations(rows), rowCount: rowCount, accumulating: false, into: output)

            let expected = rows.flatMap { row in
                let row = quantized(row)
                return weights.map { weights in
                    rowCount <= 3 || outputCount <= 8
                        ? sumInFours(row, weights, singleRow: rowCount == 1) : sumInRuns(row, weights)
                }
            }
            #expect(try backend.read(output, rowCount: rowCount) == expected)
        }
    }

    @Test("adds the exponentials of a softmax in 16 lanes")
    func softmax() {
        #expect(SumOrder.softmaxSum([1, 0x1p-24, 0x1p-24]) == 1)
        // One after the other, each of the small ones is lost; lanes of them are not.
        let values = [1] + Array(repeating: Float(0x1p-25), count: 39)
        #expect(values.reduce(0, +) == 1)
        #expect(SumOrder.softmaxSum(values) == 1 + 9 * 0x1p-23)
    }

    /// `value * (block scale * global scale)`, rounded after each product.
    private func expandedRows(_ matrix: WeightMatrix) -> [[Float]] {
        guard case .nvfp4(let scales, let globalScale) = matrix.encoding else { return [] }
        return (0..<matrix.rowCount).map { row in
            (0..<matrix.columnCount).map { column in
                let codes = byte(matrix.elements, row, column / 2)
                let scale = Float(MatrixCase.e4m3(byte(scales, row, column / 16)))
                return Float(MatrixCase.e2m1(codes >> (column % 2 == 0 ? 0 : 4) & 15)) * (scale * globalScale)
            }
        }
    }

    private func byte(_ bytes: StridedBytes, _ row: Int, _ column: Int) -> UInt8 {
        bytes.base.load(fromByteOffset: row * bytes.rowStride + column * bytes.columnStride, as: UInt8.self)
    }

    private func quantized(_ row: [Float]) -> [Float] {
        var values = row
        row.withUnsafeBufferPointer { row in
            values.withUnsafeMutableBufferPointer { NVFP4.fakeQuantize(activations: row, encodeScale: 300, into: $0) }
        }
        return values
    }

    private func sumInRuns(_ row: [Float], _ weights: [Float]) -> Float {
        let length = row.count <= 192 ? row.count : row.count == 256 ? 128 : 192
        return stride(from: 0, to: row.count, by: length).reduce(0) { total, start in
            var sum: Float = 0
            for column in start..<min(start + length, row.count) { sum.addProduct(row[column], weights[column]) }
            return total + sum
        }
    }

    private func sumInFours(_ row: [Float], _ weights: [Float], singleRow: Bool) -> Float {
        var sums: [Float] = [0, 0, 0, 0]
        for column in row.indices {
            sums[singleRow && column < 4 ? 0 : column % 4] += row[column] * weights[column]
        }
        return (sums[0] + sums[2]) + (sums[1] + sums[3])
    }
}
