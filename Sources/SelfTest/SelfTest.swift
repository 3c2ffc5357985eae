public import CUDA
public import CUDAKernels
internal import Models

/// Compares the operations of a GPU with the CPU's, on fresh random inputs over a table of shapes and their edges.
public struct SelfTest {
    /// One comparison.
    public struct Result: Sendable {
        /// The operation: `moe`.
        public let operation: String
        /// The shape and what is special about the inputs.
        public let name: String
        /// What was found: an error relative to the root mean square of the right result, or a count of wrong values.
        public let error: Double
        /// The largest error that passes.
        public let bound: Double

        /// Whether the GPU computed what the CPU did.
        public var isPassed: Bool { error <= bound }
    }

    /// What can be compared.
    public enum Operation: String, Sendable, CaseIterable {
        /// Memory is copied.
        case copy
        /// Activations become NVFP4 or MXFP4.
        case quantize
        /// Experts are chosen.
        case route
        /// Rows are multiplied by a matrix, whose weights are repacked.
        case linear
        /// Rows pass through experts.
        case moe
    }

    /// Which comparisons to run.
    public struct Selection: Sendable {
        /// The operations, in the order of ``Operation/allCases``.
        public var operations: Set<Operation>
        /// Whether to leave out all but a few small shapes, for tools that make kernels hundreds of times slower.
        public var isSmall: Bool
        /// What the names of matrices and layers must contain, if anything.
        public var layerName: String?

        /// Selects comparisons.
        public init(
            operations: Set<Operation> = Set(Operation.allCases), isSmall: Bool = false, layerName: String? = nil
        ) {
            self.operations = operations
            self.isSmall = isSmall
            self.layerName = layerName
        }

        func includes(layerNamed name: String) -> Bool { layerName.map { name.contains($0) } ?? true }
    }

    let loader: KernelLoader
    let selection: Selection
    let stream: Stream
    let seed: UInt64

    /// A test whose inputs depend on the seed.
    ///
    /// - Throws: ``CUDA/CUDAError`` if no stream can be made.
    public init(_ loader: KernelLoader, seed: UInt64, selection: Selection = Selection()) throws(CUDAError) {
        self.loader = loader
        self.selection = selection
        self.seed = seed
        stream = try Stream(loader.context)
    }

    /// Runs the comparisons.
    ///
    /// - Parameter onResult: called with each result as it is known.
    /// - Throws: ``CUDA/CUDAError`` or `KernelError` if an operation cannot run at all.
    public func run(onResult: (Result) throws -> Void) throws {
        for operation in Operation.allCases where selection.operations.contains(operation) {
            switch operation {
            case .copy: try testCopy(onResult)
            case .quantize: try testQuantize(onResult)
            case .route: try testRoute(onResult)
            case .linear: try testLinear(onResult)
            case .moe: try testExperts(onResult)
            }
        }
    }

    /// A generator that depends on the seed and on what it is for.
    func random(_ purpose: String) -> SplitMix64 {
        SplitMix64(seed: purpose.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    }
}
