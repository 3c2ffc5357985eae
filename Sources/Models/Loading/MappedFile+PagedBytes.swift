public import Kernels
public import ModelFiles

extension MappedFile: PagedBytes {
    /// Begins to read these bytes of the file.
    public func prefetch(_ bytes: UnsafeRawBufferPointer) { prefetch(range(of: bytes)) }

    /// Gives back the pages of these bytes of the file.
    public func discard(_ bytes: UnsafeRawBufferPointer) { discard(range(of: bytes)) }

    private func range(of part: UnsafeRawBufferPointer) -> Range<Int> {
        guard let base = bytes.baseAddress, let start = part.baseAddress else { return 0..<0 }
        return start - base..<start - base + part.count
    }
}
