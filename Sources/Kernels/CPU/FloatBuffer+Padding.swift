extension FloatBuffer {
    /// Copies values and completes them with zeros to a multiple of the rows of a block.
    convenience init(paddingToBlocks values: some Collection<Float>) throws(KernelError) {
        let rows = PackedShape.blockRows
        try self.init(rowCount: (values.count + rows - 1) / rows, columnCount: rows)
        for (index, value) in values.enumerated() { base[index] = value }
    }
}
