/// A row of a step with what is needed to find its keys and values.
struct StepRow {
    /// The row in the step's buffers.
    let row: Int
    /// The row's position in its sequence.
    let position: Int
    /// The blocks of the sequence's cache in the current layer.
    let blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>
}
