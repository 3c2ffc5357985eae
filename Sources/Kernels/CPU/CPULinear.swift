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
    /// Added to the outputs, each part's padded to whole blocks; nil for none.
    let biases: [FloatBuffer]?

    init(parts: [PackedMatrix], biases: [FloatBuffer]?) {
        self.parts = parts
        self.biases = biases
        columnCount = parts.first?.shape.columnCount ?? 0
        var firstRows: [Int] = []
        var rowCount = 0
        for part in parts {
            firstRows.append(rowCount)
            rowCount += part.shape.rowCount
        }
        self.firstRows = firstRows
        self.rowCount = rowCount
    }

    /// Bytes of all blocks.
    var byteCount: Int { parts.reduce(0) { $0 + $1.shape.byteCount } }

    /// The blocks of a part that belong to one of `taskCount` tasks with about the same number of bytes.
    ///
    /// The bytes of all parts follow each other; a task has the blocks that start in its share of them.
    func blocks(ofPart part: Int, task: Int, taskCount: Int) -> Range<Int> {
        let total = byteCount
        let start = parts[..<part].reduce(0) { $0 + $1.shape.byteCount }
        let shape = parts[part].shape
        func firstBlock(from byte: Int) -> Int {
            min(max(0, (byte - start + shape.blockBytes - 1) / shape.blockBytes), shape.blockCount)
        }
        let lower = firstBlock(from: share(total, task, taskCount))
        return lower..<max(lower, firstBlock(from: share(total, task + 1, taskCount)))
    }

    private func share(_ total: Int, _ task: Int, _ taskCount: Int) -> Int {
        // Without the overflow of total * task.
        total / taskCount * task + total % taskCount * task / taskCount
    }
}
