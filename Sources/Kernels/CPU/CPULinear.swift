/// A linear layer on the CPU: packed matrices with the same input, stacked along the outputs.
public final class CPULinear {
    /// The number of outputs of all parts.
    public let rowCount: Int
    /// The number of inputs.
    public let columnCount: Int
    /// The matrices.
    let parts: [PackedMatrix]
    /// The first output of each part.
    let firstRows: [Int]
    /// Where their blocks and biases lie.
    let blocks: [MatrixBlocks]
    /// The bytes of all blocks.
    let byteCount: Int
    /// The bytes of the blocks before each part's.
    private let firstBytes: [Int]
    /// What ``blocks`` refer to.
    private let biases: [FloatBuffer]?

    init(parts: [PackedMatrix], biases: [FloatBuffer]?) {
        self.parts = parts
        self.biases = biases
        blocks = parts.indices.map { MatrixBlocks(parts[$0], bias: biases?[$0]) }
        columnCount = parts.first?.shape.columnCount ?? 0
        var (firstRows, firstBytes): ([Int], [Int]) = ([], [])
        var (rowCount, byteCount) = (0, 0)
        for part in parts {
            firstRows.append(rowCount)
            firstBytes.append(byteCount)
            rowCount += part.shape.rowCount
            byteCount += part.shape.byteCount
        }
        self.firstRows = firstRows
        self.firstBytes = firstBytes
        self.rowCount = rowCount
        self.byteCount = byteCount
    }

    /// The bytes of the weights as they lie in memory, which a product reads.
    public var weightByteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }

    /// The blocks of a part that belong to a task.
    ///
    /// The bytes of all parts follow each other; a task has the blocks that start in its share of them.
    func blocks(ofPart part: Int, task: Int, _ division: WorkDivision) -> Range<Int> {
        let start = firstBytes[part]
        let shape = blocks[part].shape
        let (blockBytes, blockCount) = (shape.blockBytes, shape.blockCount)
        func firstBlock(from byte: Int) -> Int {
            min(max(0, (byte - start + blockBytes - 1) / blockBytes), blockCount)
        }
        let bytes = division.range(ofTask: task, in: byteCount)
        let lower = firstBlock(from: bytes.lowerBound)
        return lower..<max(lower, firstBlock(from: bytes.upperBound))
    }
}
