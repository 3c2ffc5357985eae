/// The number of copies of weights among which repetitions rotate.
enum WeightCopies {
    /// The bytes of weights that no cache holds: four times the caches, and 128 MiB at least.
    static func byteCount(beyondCaches cacheByteCount: Int) -> Int {
        max(cacheByteCount > .max / 4 ? .max : 4 * cacheByteCount, 128 << 20)
    }

    /// The copies that make up the wanted bytes, at most 2 GiB and a quarter of the memory; at least one copy.
    static func count(ofByteCount byteCount: Int, wanted: Int, memoryByteCount: Int) -> Int {
        let limit = min(2 << 30, memoryByteCount / 4)
        let (count, remainder) = min(wanted, limit).quotientAndRemainder(dividingBy: max(1, byteCount))
        // Copies of tiny weights take longer to make than to measure.
        return min(max(1, remainder == 0 || wanted > limit ? count : count + 1), 4096)
    }
}
