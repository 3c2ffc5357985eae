public import FP4

/// Activations in NVFP4: codes row by row, block scales in a layout.
public final class CPUQuantizedActivations {
    /// Where the block scales lie; its columns are blocks.
    public let layout: ScaleLayout
    /// Two E2M1 codes a byte, `[T, K / 2]`.
    public let codes: UnsafeMutableRawBufferPointer
    /// E4M3 block scales, with zeros as padding.
    public let scales: UnsafeMutableRawBufferPointer

    /// Allocates a buffer whose bytes are all 0xFF, NaN as a block scale.
    ///
    /// - Parameters:
    ///   - rowCount: the number of rows, `T`.
    ///   - columnCount: the number of values of a row, `K`, a multiple of 16.
    ///   - tiling: the order of block scales.
    /// - Throws: ``KernelError`` if a row is no whole number of blocks, or there is not that much memory.
    public init(rowCount: Int, columnCount: Int, tiling: ScaleLayout.Tiling) throws(KernelError) {
        guard rowCount >= 0, columnCount >= 0, columnCount.isMultiple(of: NVFP4.blockSize) else {
            throw KernelError("NVFP4 activations of \(columnCount) columns, expected a multiple of \(NVFP4.blockSize)")
        }
        let (byteCount, overflow) = rowCount.multipliedReportingOverflow(by: columnCount / 2)
        guard !overflow, byteCount <= 1 << 40,
            let layout = ScaleLayout(tiling, rowCount: rowCount, columnCount: columnCount / NVFP4.blockSize)
        else {
            throw KernelError("no memory for NVFP4 activations of \(rowCount) rows and \(columnCount) columns")
        }
        self.layout = layout
        codes = .allocate(byteCount: byteCount, alignment: 64)
        scales = .allocate(byteCount: layout.byteCount, alignment: 64)
        codes.initializeMemory(as: UInt8.self, repeating: 0xFF)
        scales.initializeMemory(as: UInt8.self, repeating: 0xFF)
    }

    deinit {
        codes.deallocate()
        scales.deallocate()
    }
}
