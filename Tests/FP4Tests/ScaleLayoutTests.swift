import FP4
import TestSupport
import Testing

@Suite("Scale layouts")
struct ScaleLayoutTests {
    @Test(
        "128x4 puts every scale where torchao and vLLM do",
        arguments: ["128x4", "1x1", "129x5", "256x8", "300x12", "64x16"])
    func agreesWithReferences(shape: String) throws {
        let golden = try GoldenTensors("quant/scale_swizzle_128x4.safetensors")
        let linear = try golden.tensor("linear_\(shape)")
        let swizzled = try golden.tensor("swizzled_\(shape)").bytes
        let source = try golden.tensor("source_index_\(shape)").elements(as: Int32.self)
        let (rowCount, columnCount) = (linear.shape[0], linear.shape[1])
        let layout = try #require(ScaleLayout(.tiles128x4, rowCount: rowCount, columnCount: columnCount))
        #expect(layout.byteCount == swizzled.count)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                let offset = layout.offset(of: .init(row: row, column: column))
                #expect(swizzled[offset] == linear.bytes[row * columnCount + column])
            }
        }
        for (offset, index) in source.enumerated() {
            let position = layout.position(at: offset).map { $0.row * columnCount + $0.column }
            #expect(position ?? -1 == Int(index))
        }
    }

    @Test(
        "both maps undo each other in every tiling, and what is left is padding", arguments: ScaleLayout.Tiling.allCases
    )
    func mapsBothWays(tiling: ScaleLayout.Tiling) throws {
        for (batchCount, rowCount, columnCount) in [(1, 1, 1), (3, 9, 5), (2, 130, 4), (1, 128, 8), (2, 40, 7)] {
            let layout = try #require(
                ScaleLayout(tiling, batchCount: batchCount, rowCount: rowCount, columnCount: columnCount))
            var found = 0
            for offset in -2..<layout.byteCount + 2 {
                guard let position = layout.position(at: offset) else { continue }
                #expect(layout.offset(of: position) == offset)
                #expect(position.batch == offset / layout.batchStride)
                found += 1
            }
            #expect(found == batchCount * rowCount * columnCount)
        }
    }

    @Test("8x4 tiles are row-major, and so are the tiles")
    func orders8x4() throws {
        let layout = try #require(ScaleLayout(.tiles8x4, batchCount: 2, rowCount: 12, columnCount: 6))
        #expect(layout.paddedRowCount == 16 && layout.paddedColumnCount == 8 && layout.byteCount == 256)
        var positions: [ScaleLayout.Position] = []
        for batch in 0..<2 {
            for tile in [(0, 0), (0, 4), (8, 0), (8, 4)] {
                for inTile in 0..<32 {
                    positions.append(
                        .init(batch: batch, row: tile.0 + inTile / 4, column: tile.1 + inTile % 4))
                }
            }
        }
        for (offset, position) in positions.enumerated() {
            let isInside = position.row < 12 && position.column < 6
            #expect(layout.position(at: offset) == (isInside ? position : nil))
        }
    }

    @Test("linear is row-major without padding")
    func ordersLinear() throws {
        let layout = try #require(ScaleLayout(.linear, batchCount: 2, rowCount: 3, columnCount: 5))
        #expect(layout.byteCount == 30)
        #expect(layout.offset(of: .init(batch: 1, row: 2, column: 4)) == 29)
        #expect(layout.position(at: 16) == .init(batch: 1, row: 0, column: 1))
    }

    @Test("sizes that are negative or exceed an Int have no layout, empty ones have no bytes")
    func checksSizes() throws {
        for tiling in ScaleLayout.Tiling.allCases {
            #expect(ScaleLayout(tiling, rowCount: -1, columnCount: 4) == nil)
            #expect(ScaleLayout(tiling, rowCount: 4, columnCount: -1) == nil)
            #expect(ScaleLayout(tiling, batchCount: -1, rowCount: 4, columnCount: 4) == nil)
            #expect(ScaleLayout(tiling, rowCount: .max, columnCount: 2) == nil)
            #expect(ScaleLayout(tiling, batchCount: .max, rowCount: 128, columnCount: 4) == nil)
            let empty = try #require(ScaleLayout(tiling, rowCount: 0, columnCount: 4))
            #expect(empty.byteCount == 0 && empty.position(at: 0) == nil)
        }
        #expect(ScaleLayout(.tiles128x4, rowCount: .max, columnCount: 0) == nil)
    }
}
