/// How many elements and bytes a tensor has, for shapes that come from files.
struct TensorSize {
    let elementCount: Int
    let byteCount: Int

    /// Nil if an extent is negative, a product overflows, or the elements do not fill whole bytes.
    init?(_ elementType: ElementType, shape: [Int]) {
        var elementCount = 1
        for extent in shape {
            let (product, overflow) = elementCount.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { return nil }
            elementCount = product
        }
        let (bitCount, overflow) = elementCount.multipliedReportingOverflow(by: elementType.bitCount)
        guard !overflow, bitCount % 8 == 0 else { return nil }
        self.elementCount = elementCount
        byteCount = bitCount / 8
    }
}
