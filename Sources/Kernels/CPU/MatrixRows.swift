import CCPUKernels

/// Rows of activations that enter one product, in the form in which the kernels take that number of rows.
struct MatrixRows {
    /// What the kernels read.
    enum Form {
        /// The rows themselves.
        case plain
        /// The one row, split into digits.
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
    /// Memory for digits or tiles, `[rowCount, columnCount]`, aligned to 64 bytes.
    let prepared: UnsafeMutablePointer<Float>

    /// Describes rows for a product with matrices of which some, or none, are quantized.
    init(
        rows: UnsafePointer<UnsafePointer<Float>>, rowCount: Int, columnCount: Int, quantized: Bool,
        order: SumOrder, prepared: UnsafeMutablePointer<Float>, kernels: nibble_matrix_kernels
    ) {
        self.rows = rows
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.order = order
        self.prepared = prepared
        form =
            if order != .fastest {
                .tiles
            } else if rowCount >= kernels.panel_threshold {
                .tiles
            } else if rowCount == 1, quantized, kernels.split_row != nil {
                .digits
            } else {
                .plain
            }
    }

    /// Bytes of a column's digits or of its float32 value: digits of 16 columns take 64 bytes.
    static var bytesPerColumn: Int { 4 }

    /// The most columns of a panel.
    static var panelDepth: Int { Int(NIBBLE_PANEL_DEPTH) }

    /// The columns of a panel, the last one's excepted.
    private var panelDepth: Int { order == .fastest ? Self.panelDepth : SumOrder.runLength(columnCount) }

    /// The number of parts that can be prepared independently.
    var partCount: Int {
        switch form {
        case .plain: 0
        case .digits: 1
        case .tiles: (columnCount + panelDepth - 1) / panelDepth
        }
    }

    /// Writes one part of the digits or tiles.
    func prepare(part: Int, kernels: nibble_matrix_kernels) {
        switch form {
        case .plain: break
        case .digits: split(firstColumn: 0, count: columnCount, kernels: kernels)
        case .tiles:
            let first = part * panelDepth
            let depth = min(panelDepth, columnCount - first)
            kernels.pack_tiles(rows, rowCount, first, depth, prepared + first * rowCount)
        }
    }

    /// Splits some columns of the one row; both numbers are multiples of 16.
    func split(firstColumn: Int, count: Int, kernels: nibble_matrix_kernels) {
        guard form == .digits, let splitRow = kernels.split_row else { return }
        let digits = UnsafeMutableRawPointer(prepared + firstColumn).assumingMemoryBound(to: UInt8.self)
        splitRow(rows[0] + firstColumn, count, digits)
    }

    /// Writes the products of a block of 16 matrix rows with all rows to `sums`, `[rowCount, 16]`, which are still to be
    /// multiplied by ``SumOrder/outputScale(of:)``.
    ///
    /// - Parameter panel: scratch memory for `panelDepth * 16` values.
    func multiply(
        _ matrix: PackedMatrix, block: Int, kernels: nibble_matrix_kernels, panel: UnsafeMutablePointer<Float>,
        into sums: UnsafeMutablePointer<Float>
    ) {
        let format = matrix.shape.format
        let bytes = matrix.block(block)
        if form == .digits, matrix.shape.isQuantized, let multiplySplitRow = kernels.multiply_split_row {
            let digits = UnsafeRawPointer(prepared).assumingMemoryBound(to: UInt8.self)
            multiplySplitRow(format, bytes, columnCount, digits, sums)
        } else if order.takesFours(of: matrix) {
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
        _ matrix: PackedMatrix, block: Int, row: UnsafePointer<Float>, kernels: nibble_matrix_kernels,
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
