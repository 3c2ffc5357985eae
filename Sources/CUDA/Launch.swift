internal import CCUDA

/// How many threads a kernel runs with, and how.
public struct Launch: Sendable, Equatable {
    /// A count in up to three dimensions.
    public struct Extent: Sendable, Equatable, ExpressibleByIntegerLiteral, CustomStringConvertible {
        /// The counts; y and z are 1 unless they are given.
        public var x: Int, y: Int, z: Int

        /// An extent by its counts.
        public init(_ x: Int, _ y: Int = 1, _ z: Int = 1) {
            self.x = x
            self.y = y
            self.z = z
        }

        /// An extent in one dimension.
        public init(integerLiteral value: Int) { self.init(value) }

        /// The three counts, `[132, 1, 1]`.
        public var description: String { "[\(x), \(y), \(z)]" }
    }

    /// How many blocks there are.
    public var grid: Extent
    /// How many threads a block has.
    public var block: Extent
    /// How many blocks run together and share their shared memory; nil for none.
    ///
    /// Needs `sm_90` or newer.
    public var cluster: Extent?
    /// How much shared memory a block has besides that of the source.
    public var dynamicSharedByteCount: Int
    /// Whether the kernel may begin before the one before it in the stream has ended (programmatic dependent launch).
    ///
    /// The kernel must execute `griddepcontrol.wait` before it touches what others write. Needs `sm_90` or newer.
    public var overlapsPrevious: Bool

    /// A launch by its grid and block; everything else is off.
    public init(
        grid: Extent, block: Extent, cluster: Extent? = nil, dynamicSharedByteCount: Int = 0,
        overlapsPrevious: Bool = false
    ) {
        self.grid = grid
        self.block = block
        self.cluster = cluster
        self.dynamicSharedByteCount = dynamicSharedByteCount
        self.overlapsPrevious = overlapsPrevious
    }
}

extension Launch {
    /// Makes sure that a kernel can be launched so: what the driver would refuse without saying why.
    func check(for kernel: Kernel) throws(CUDAError) {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "\(kernel.name): \(message)") }
        guard 1...0x7fff_ffff ~= grid.x, 1...0xffff ~= grid.y, 1...0xffff ~= grid.z else {
            throw fail("a grid of \(grid) blocks, expected 1 to 2147483647 in x and 1 to 65535 in y and z")
        }
        guard min(block.x, block.y, block.z) > 0, max(block.x, block.y, block.z) <= 1024,
            block.x * block.y * block.z <= kernel.maximumThreadsPerBlock
        else { throw fail("a block of \(block) threads, expected 1 to \(kernel.maximumThreadsPerBlock) together") }
        // Without opting in a block may have 48 KiB.
        let sharedLimit = max(kernel.dynamicSharedByteCount, (48 << 10) - kernel.staticSharedByteCount)
        guard 0...sharedLimit ~= dynamicSharedByteCount else {
            throw fail(
                "\(dynamicSharedByteCount) bytes of dynamic shared memory, expected at most the \(sharedLimit) "
                    + "that the kernel was made with")
        }
        let context = kernel.module.context
        guard context.device.architecture.major >= 9 || (cluster == nil && !overlapsPrevious) else {
            throw CUDAError(
                .unsupported, "\(kernel.name): clusters and overlapping launches need sm_90, not \(context.device)")
        }
        if let cluster {
            guard min(cluster.x, cluster.y, cluster.z) > 0, max(cluster.x, cluster.y, cluster.z) <= 8,
                cluster.x * cluster.y * cluster.z <= 8,
                grid.x % cluster.x == 0, grid.y % cluster.y == 0, grid.z % cluster.z == 0
            else {
                throw fail("clusters of \(cluster) blocks, expected 1 to 8 together, dividing the grid of \(grid)")
            }
        }
    }

    /// The driver's form, for numbers that have been checked.
    func config(on stream: CUstream, _ attributes: UnsafeMutableBufferPointer<CUlaunchAttribute>) -> CUlaunchConfig {
        CUlaunchConfig(
            gridDimX: UInt32(grid.x), gridDimY: UInt32(grid.y), gridDimZ: UInt32(grid.z),
            blockDimX: UInt32(block.x), blockDimY: UInt32(block.y), blockDimZ: UInt32(block.z),
            sharedMemBytes: UInt32(dynamicSharedByteCount), hStream: stream, attrs: attributes.baseAddress,
            numAttrs: UInt32(attributes.count))
    }

    /// The attributes that are on, in the driver's form.
    var attributes: [CUlaunchAttribute] {
        var attributes: [CUlaunchAttribute] = []
        if let cluster {
            var attribute = CUlaunchAttribute()
            attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
            attribute.value.clusterDim = CUclusterDimension(
                x: UInt32(cluster.x), y: UInt32(cluster.y), z: UInt32(cluster.z))
            attributes.append(attribute)
        }
        if overlapsPrevious {
            var attribute = CUlaunchAttribute()
            attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
            attribute.value.programmaticStreamSerializationAllowed = 1
            attributes.append(attribute)
        }
        return attributes
    }
}
