import Kernels
import Testing

@testable import Models

@Suite struct SyntheticWeightsTests {
    private func bytes(_ matrix: WeightMatrix, row: Int, count: Int) -> [UInt8] {
        defer { extendLifetime(matrix) }
        return (0..<count).map {
            matrix.elements.base.load(fromByteOffset: row * matrix.elements.rowStride + $0, as: UInt8.self)
        }
    }

    private func matrix(_ format: SyntheticWeights.Format, rows: Int = 512, columns: Int = 1024, seed: UInt64 = 1)
        -> WeightMatrix
    {
        SyntheticWeights.matrix("synthetic", rowCount: rows, columnCount: columns, format: format, seed: seed)
    }

    @Test("depends on the seed alone", arguments: [SyntheticWeights.Format.bfloat16, .nvfp4, .mxfp4])
    func determinism(format: SyntheticWeights.Format) {
        let row = bytes(matrix(format), row: 100, count: 512)
        #expect(row == bytes(matrix(format), row: 100, count: 512))
        #expect(row != bytes(matrix(format, seed: 2), row: 100, count: 512))
        #expect(row != bytes(matrix(format), row: 101, count: 512))
    }

    @Test("takes little memory beside its packed form")
    func memory() {
        let elements = matrix(.nvfp4, rows: 4096, columns: 4096).elements
        #expect(4095 * elements.rowStride + 2048 < 4096 * 2048 / 16)
    }

    @Test("keeps rows apart that are narrower than the distance of windows")
    func narrowRows() {
        #expect(matrix(.nvfp4, rows: 3, columns: 32).elements.rowStride == 16)
    }
}
