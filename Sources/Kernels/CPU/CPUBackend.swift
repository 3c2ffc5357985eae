import CCPUKernels

/// Runs models on the processor's cores, with activations and the key-value cache in float32.
///
/// Results do not depend on the number of threads. Not safe for use by several threads at the same time.
public final class CPUBackend: Backend {
    /// The threads that share the work of an operation.
    let pool: ThreadPool
    /// The precision of the activations that enter quantized linear layers.
    public let activationPrecision: ActivationPrecision
    /// The instructions the kernels use.
    public let instructionSet: InstructionSet
    /// The row operations for these instructions.
    let vectors: nibble_vector_kernels
    /// The matrix products for these instructions.
    let kernels: nibble_matrix_kernels
    /// The memory of the weights.
    var weights = MemoryArena(pieceByteCount: 256 << 20)

    // Of the current operation, kept for their memory.
    var stepRows: [StepRow] = []
    var rotaryTable = RotaryTable()
    var attentionPlan = AttentionPlan()
    var attentionScratch = GrowingBuffer()
    var attentionPartials = GrowingBuffer()
    var expertSelection = ExpertSelection()
    var assignments = ExpertAssignments()
    var scratch = MatrixScratch()

    /// Starts the threads of a backend.
    ///
    /// - Parameters:
    ///   - threadCount: the number of threads; by default the physical cores that this process may use.
    ///   - activationPrecision: the precision of the activations that enter quantized linear layers.
    ///   - instructionSet: the instructions to use; by default the best that this processor has.
    /// - Throws: ``KernelError`` if the threads cannot be started or this processor lacks the instructions.
    public init(
        threadCount: Int? = nil, activationPrecision: ActivationPrecision = .full,
        instructionSet: InstructionSet? = nil
    ) throws(KernelError) {
        pool = try ThreadPool(threadCount: threadCount ?? Self.defaultThreadCount)
        self.activationPrecision = activationPrecision
        self.instructionSet = instructionSet ?? .best
        guard self.instructionSet.isAvailable else {
            throw KernelError(
                "this processor has no \(self.instructionSet.rawValue), only \(InstructionSet.best.rawValue)")
        }
        vectors = self.instructionSet.vectorKernels
        kernels = self.instructionSet.matrixKernels
    }

    /// The number of threads that share the work of an operation.
    public var threadCount: Int { pool.threadCount }
}
