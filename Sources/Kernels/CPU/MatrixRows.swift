import CCPUKernels

/// Rows of activations that enter one product, in the form in which the kernels take that number of rows.
struct MatrixRows {
    /// What the kernels read.
    enum Form {
        /// The rows themselves.
        case plain
        /// Rows that are split into digits, one or three.
        case digits
        /// Tiles of a few rows, one panel's columns after another's.
        case tiles
    }

    /// The rows.
    let rows: UnsafePointer<UnsafePointer<Float>>
    /// The number of rows, above zero.
    let rowCount: Int
    /// The number of columns.
    let columnCount: Int
    /// What the kernels read.
    let form: Form
    /// In which order products are added.
    let order: SumOrder
    /// Memory for tiles, `[rowCount, columnCount]`, aligned to 64 bytes.
    let prepared: UnsafeMutablePointer<Float>
    /// Each row's digits: its own, or where another product has them.
    let digits: UnsafePointer<UnsafePointer<UInt8>>
    private let area: InputArea
    private let firstRow: Int

    /// Describes rows of an area for a product with matrices of which some, or none, are quantized.
    init(
        _ area: InputArea, rows: Range<Int>, columnCount: Int, precision: InputPrecision, quantized: Bool,
        order: SumOrder, kernels: nibble_matrix_kernels
    ) {
        self.area = area
        firstRow = rows.lowerBound
        self.rows = UnsafePointer(area.rows + rows.lowerBound)
        digits = UnsafePointer(area.digits + rows.lowerBound)
        prepared = area.prepared(rows.lowerBound)
        rowCount = rows.count
        self.columnCount = columnCount
        self.order = order
        form =
            if precision == .int8 {
                .digits
            } else if order != .fastest {
                .tiles
            } else if rowCount >= kernels.panel_threshold {
                .tiles
            } else if quantized, rowCount <= kernels.split_row_limit {
                .digits
            } else {
                .plain
            }
    }

    /// The most columns of a panel.
    static var panelDepth: Int { Int(NIBBLE_PANEL_DEPTH) }

    /// The columns of a panel, the last one's excepted.
    private var panelDepth: Int { order == .fastest ? Self.panelDepth : SumOrder.runLength(columnCount) }

    /// The number of parts that can be prepared independently.
    var partCount: Int {
        switch form {
        case .plain: 0
        case .digits: rowCount
        case .tiles: (columnCount + panelDepth - 1) / panelDepth
        }
    }

    /// Whether a part is prepared with another product's rows.
    func isPreparedElsewhere(_ part: Int) -> Bool {
        form == .digits && digits[part] != area.ownDigits(firstRow + part)
    }

    /// Writes one part of the digits or tiles.
    func prepare(part: Int, kernels: nibble_matrix_kernels) {
        switch form {
        case .plain: break
        case .digits: split(row: part, columns: 0..<columnCount, kernels: kernels)
        case .tiles:
            let first = part * panelDepth
            let depth = min(panelDepth, columnCount - first)
            kernels.pack_tiles(rows, rowCount, first, depth, prepared + first * rowCount)
        }
    }

    /// Splits some columns of a row, from one multiple of 16 to another.
    func split(row: Int, columns: Range<Int>, kernels: nibble_matrix_kernels) {
        let format = area.digitFormat
        let digits = UnsafeMutablePointer(mutating: digits[row] + columns.lowerBound / 16 * format.blockBytes)
        kernels.split_row(
            format.digitCount, rows[row] + columns.lowerBound, columns.count, digits, format.blockBytes)
    }

    /// Writes the products of blocks of 16 matrix rows with all rows to `sums`, `[blocks, rowCount, 16]`, which are still
    /// to be multiplied by ``SumOrder/outputScale(of:)``.
    ///
    /// - Parameter panel: scratch memory for `panelDepth * 16` values.
    func multiply(
        _ matrix: MatrixBlocks, blocks: Range<Int>, kernels: nibble_matrix_kernels,
        panel: UnsafeMutablePointer<Float>, into sums: UnsafeMutablePointer<Float>
    ) {
        if form == .digits, matrix.shape.isQuantized {
            kernels.multiply_split_rows(
                area.digitFormat.digitCount, matrix.shape.format, matrix.block(blocks.lowerBound), matrix.stride,
                blocks.count, columnCount, digits, area.digitFormat.blockBytes, rowCount, sums)
            return
        }
        var sums = sums
        for block in blocks {
            multiply(matrix, block: block, kernels: kernels, panel: panel, into: sums)
            sums += rowCount * PackedShape.blockRows
        }
    }

    private func multiply(
        _ matrix: MatrixBlocks, block: Int, kernels: nibble_matrix_kernels, panel: UnsafeMutablePointer<Float>,
        into sums: UnsafeMutablePointer<Float>
    ) {
        let format = matrix.shape.format
        let bytes = matrix.block(block)
        if order.takesFours(of: matrix.shape) {
            for row in 0..<rowCount {
                multiplyInFours(
                    matrix, block: block, row: rows[row], kernels: kernels, panel: panel,
                    into: sums + row * PackedShape.blockRows)
            }
        } else if form == .tiles {
            sums.update(repeating: 0, count: rowCount * PackedShape.blockRows)
            let globalScale = order == .fastest ? 1 : matrix.globalScale
            for first in stride(from: 0, to: columnCount, by: panelDepth) {
                let depth = min(panelDepth, columnCount - first)
                kernels.decode_panel(format, bytes, first, depth, globalScale, panel)
                kernels.multiply_panel(panel, depth, prepared + first * rowCount, rowCount, sums)
            }
        } else {
            kernels.multiply_rows(format, bytes, columnCount, rows, rowCount, sums)
        }
    }

    /// Adds the products of every fourth column, each of them rounded, and then the four sums.
    ///
    /// A single row's first four products are in one sum.
    private func multiplyInFours(
        _ matrix: MatrixBlocks, block: Int, row: UnsafePointer<Float>, kernels: nibble_matrix_kernels,
        panel: UnsafeMutablePointer<Float>, into sums: UnsafeMutablePointer<Float>
    ) {
        var fours = (SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>())
        let weights = UnsafeRawPointer(panel)
        for first in stride(from: 0, to: columnCount, by: panelDepth) {
            let depth = min(panelDepth, columnCount - first)
            kernels.decode_panel(
                matrix.shape.format, matrix.block(block), first, depth, matrix.globalScale, panel)
            for column in 0..<depth {
                let product =
                    weights.load(fromByteOffset: 64 * column, as: SIMD16<Float>.self) * row[first + column]
                switch order == .reference(rowCount: 1) && first + column < 4 ? 0 : (first + column) % 4 {
                case 0: fours.0 += product
                case 1: fours.1 += product
                case 2: fours.2 += product
                default: fours.3 += product
                }
            }
        }
        let sum = (fours.0 + fours.2) + (fours.1 + fours.3)
        UnsafeMutableRawPointer(sums).storeBytes(of: sum, as: SIMD16<Float>.self)
    }
}
