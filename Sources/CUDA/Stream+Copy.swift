internal import CCUDA

extension Stream {
    /// Queues a copy from pinned memory; `source` must live and stay as it is until it is done.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the counts differ.
    public func copy<Element>(_ source: PinnedBuffer<Element>, to destination: DeviceBuffer<Element>) throws(CUDAError)
    {
        try upload(UnsafeRawBufferPointer(source.elements), to: destination)
    }

    /// Queues a copy to pinned memory; `destination` must live and not be read until it is done.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the counts differ.
    public func copy<Element>(_ source: DeviceBuffer<Element>, to destination: PinnedBuffer<Element>) throws(CUDAError)
    {
        try download(source, to: UnsafeMutableRawBufferPointer(destination.elements))
    }

    /// Queues a copy inside the GPU; the buffers do not overlap.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the counts differ.
    public func copy<Element>(_ source: DeviceBuffer<Element>, to destination: DeviceBuffer<Element>) throws(CUDAError)
    {
        try Self.check(source.byteCount, equals: destination.byteCount)
        guard source.byteCount > 0 else { return }
        try context.call(context.driver.memcpyDtoDAsync) {
            $0(destination.address, source.address, source.byteCount, handle)
        }
    }

    /// Copies elements of any memory to the GPU and waits until they are there.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the counts differ.
    public func write<Element>(_ elements: [Element], to destination: DeviceBuffer<Element>) throws(CUDAError) {
        try elements.withUnsafeBufferPointer { elements throws(CUDAError) in
            try write(UnsafeRawBufferPointer(elements), to: destination)
        }
    }

    /// Copies bytes of any memory to the GPU and waits until they are there.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the sizes differ.
    public func write<Element>(
        _ bytes: UnsafeRawBufferPointer, to destination: DeviceBuffer<Element>
    ) throws(CUDAError) {
        try upload(bytes, to: destination)
        try synchronize()
    }

    /// Waits for the work so far, and copies elements from the GPU.
    ///
    /// - Throws: ``CUDAError``; a kernel that failed since the last wait shows here.
    public func read<Element>(_ source: DeviceBuffer<Element>) throws(CUDAError) -> [Element] {
        guard source.count > 0 else {
            try synchronize()
            return []
        }
        return try [Element](unsafeUninitializedCapacity: source.count) { storage, count throws(CUDAError) in
            let bytes = UnsafeMutableRawBufferPointer(storage)
            try download(source, to: UnsafeMutableRawBufferPointer(rebasing: bytes[..<source.byteCount]))
            try synchronize()
            count = source.count
        }
    }

    /// Queues the setting of every byte of a buffer.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func fill<Element>(_ destination: DeviceBuffer<Element>, byte: UInt8) throws(CUDAError) {
        guard destination.byteCount > 0 else { return }
        try context.call(context.driver.memsetD8Async) {
            $0(destination.address, byte, destination.byteCount, handle)
        }
    }

    private func upload<Element>(
        _ source: UnsafeRawBufferPointer, to destination: DeviceBuffer<Element>
    ) throws(CUDAError) {
        try Self.check(source.count, equals: destination.byteCount)
        guard let address = source.baseAddress, source.count > 0 else { return }
        try context.call(context.driver.memcpyHtoDAsync) { $0(destination.address, address, source.count, handle) }
    }

    private func download<Element>(
        _ source: DeviceBuffer<Element>, to destination: UnsafeMutableRawBufferPointer
    ) throws(CUDAError) {
        try Self.check(source.byteCount, equals: destination.count)
        guard let address = destination.baseAddress, destination.count > 0 else { return }
        try context.call(context.driver.memcpyDtoHAsync) { $0(address, source.address, destination.count, handle) }
    }

    private static func check(_ source: Int, equals destination: Int) throws(CUDAError) {
        guard source == destination else {
            throw CUDAError(.invalidArgument, "cannot copy \(source) bytes to a buffer of \(destination)")
        }
    }
}
