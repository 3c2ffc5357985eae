/// Runs models on the processor's cores, with activations and the key-value cache in float32.
///
/// Results do not depend on the number of threads. Not safe for use by several threads at the same time.
public final class CPUBackend {
    /// The threads that share the work of an operation.
    let pool: ThreadPool
    /// The precision of the activations that enter quantized linear layers.
    public let activationPrecision: ActivationPrecision
    /// The instructions the kernels use.
    public let instructionSet: InstructionSet
    /// The current step's routing, kept for its memory.
    var assignments = ExpertAssignments()

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
        pool = try ThreadPool(threadCount: threadCount ?? ProcessorCount.system.physical)
        self.activationPrecision = activationPrecision
        self.instructionSet = instructionSet ?? .best
    }

    /// The number of threads that share the work of an operation.
    public var threadCount: Int { pool.threadCount }
}
