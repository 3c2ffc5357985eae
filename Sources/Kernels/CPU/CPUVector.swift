/// A small weight in float32.
public final class CPUVector {
    /// The first value, aligned to 64 bytes.
    let base: UnsafePointer<Float>
    /// The number of values.
    let count: Int
    private let storage: FloatBuffer

    /// Copies the values.
    ///
    /// - Throws: ``KernelError`` if there is no memory.
    init(_ values: [Float]) throws(KernelError) {
        storage = try FloatBuffer(rowCount: 1, columnCount: values.count)
        for (index, value) in values.enumerated() { storage.base[index] = value }
        base = UnsafePointer(storage.base)
        count = values.count
    }
}
