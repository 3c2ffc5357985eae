/// The keys and values of one sequence in all layers, in float32.
///
/// Memory is allocated as positions are filled. Layers with sliding-window or chunked attention keep only what later
/// positions see.
public final class CPUKeyValueCache {
    /// The number of positions there is room for.
    public let capacity: Int
    let layers: [KeyValueLayer]

    /// Makes an empty cache.
    ///
    /// - Throws: ``KernelError`` if a layer's sizes disagree or the capacity is out of range.
    init(layers: [Attention<CPUVector>], capacity: Int) throws(KernelError) {
        guard (1...1 << 30).contains(capacity) else {
            throw KernelError("a key-value cache for \(capacity) positions, expected 1 to \(1 << 30)")
        }
        self.capacity = capacity
        let memory = KeyValueMemory()
        var made: [KeyValueLayer] = []
        for attention in layers {
            made.append(try KeyValueLayer(shape: AttentionShape(attention), capacity: capacity, memory: memory))
        }
        self.layers = made
    }

    /// The bytes allocated so far.
    public var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// The cache of a layer, which must be of the given shape.
    func layer(_ index: Int, shape: AttentionShape) throws(KernelError) -> KeyValueLayer {
        guard layers.indices.contains(index), layers[index].shape == shape else {
            throw KernelError("the key-value cache was not made for this attention in layer \(index)")
        }
        return layers[index]
    }
}
