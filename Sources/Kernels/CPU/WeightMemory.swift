/// The memory in which packed weights lie, to be read from end to end.
public struct WeightMemory {
    private var pieces: [(memory: LargePageMemory, bytes: Range<Int>)] = []

    /// No memory yet.
    public init() {}

    /// Adds the matrices of a linear layer.
    public mutating func add(_ linear: CPULinear) {
        for matrix in linear.parts { add(matrix) }
    }

    /// Adds the matrices of all experts of a layer.
    public mutating func add(_ layer: CPUFeedForward) {
        for expert in layer.experts {
            for matrix in [expert.gate, expert.up, expert.down] { add(matrix) }
        }
    }

    /// The number of bytes.
    public var byteCount: Int { pieces.reduce(0) { $0 + $1.bytes.count } }

    /// What lies in each piece of memory, from the first matrix to the last; valid as long as this value.
    var spans: [UnsafeRawBufferPointer] {
        pieces.map { memory, bytes in
            UnsafeRawBufferPointer(start: memory.base + bytes.lowerBound, count: bytes.count)
        }
    }

    private mutating func add(_ matrix: PackedMatrix) {
        let bytes = matrix.offset..<matrix.offset + matrix.shape.blockCount * matrix.blockStride
        guard let index = pieces.firstIndex(where: { $0.memory === matrix.memory }) else {
            pieces.append((matrix.memory, bytes.clamped(to: 0..<matrix.memory.byteCount)))
            return
        }
        let known = pieces[index].bytes
        let start = min(known.lowerBound, bytes.lowerBound)
        pieces[index].bytes = start..<min(max(known.upperBound, bytes.upperBound), matrix.memory.byteCount)
    }
}
