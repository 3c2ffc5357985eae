/// Memory whose pages are fetched when they are touched, and can be fetched earlier and given back: a mapped file.
public protocol PagedBytes: AnyObject, Sendable {
    /// Begins to fetch the pages of these bytes, which are about to be read.
    func prefetch(_ bytes: UnsafeRawBufferPointer)

    /// Gives back the pages of these bytes; they are fetched again should they be touched again.
    func discard(_ bytes: UnsafeRawBufferPointer)
}
