import FP4
import Kernels
import Models
import Testing

@testable import SelfTest

@Suite("Expanded matrix")
struct ExpandedMatrixTests {
    @Test("multiplies rows of any length", arguments: [1, 7, 8, 15, 16, 17, 33, 305])
    func multiply(columnCount: Int) {
        let matrix = SyntheticWeights.matrix(
            "matrix", rowCount: 5, columnCount: columnCount, format: .bfloat16, seed: 3)
        let input = (0..<columnCount).map { Float($0 % 11) - 4 }
        for (row, product) in ExpandedMatrix(matrix).multiply(input).enumerated() {
            var sum = 0.0
            for column in 0..<columnCount {
                let bits = matrix.elements.base.loadUnaligned(
                    fromByteOffset: row * matrix.elements.rowStride + column * matrix.elements.columnStride,
                    as: UInt16.self)
                sum += Double(Float(BFloat16(bits: bits))) * Double(input[column])
            }
            #expect(abs(product - sum) < 1e-9)
        }
    }
}
