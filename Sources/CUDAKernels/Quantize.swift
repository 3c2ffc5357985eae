public import CUDA
public import FP4

/// The host side of `any/quantize.cu`: BF16 or FP16 activations `[T, K]` to NVFP4 or MXFP4.
///
/// Its properties decide what is compiled; ``load(from:_:on:)`` gives a ``Quantizer``, which runs it.
public struct Quantize: Sendable, Equatable {
    /// The type of the activations.
    public enum Input: Sendable, CaseIterable {
        /// bfloat16.
        case bfloat16
        /// IEEE half precision.
        case float16
    }

    /// What the activations become.
    public enum Format: Sendable, Equatable {
        /// E2M1 codes and an E4M3 scale for 16 of them.
        case nvfp4(EncodeScale, Rule)
        /// E2M1 codes and an E8M0 scale for 32 of them.
        case mxfp4
    }

    /// Where NVFP4's encode scale, the reciprocal of the global scale, comes from.
    public enum EncodeScale: Sendable, CaseIterable {
        /// One number that the caller gives.
        case given
        /// Each row's own, by ``FP4/NVFP4/encodeScale(absoluteMaximum:)``: a token's result does not depend on its batch.
        case perRow
        /// One for all rows, by the same formula; takes a launch more.
        case perTensor
    }

    /// How NVFP4's scales and codes are rounded.
    public enum Rule: Sendable, CaseIterable {
        /// With IEEE divisions, bit for bit as the CPU (docs/numerics.md).
        case exact
        /// With the approximate reciprocals of FlashInfer's default, and its codes for NaN, -0 and blocks whose scale
        /// underflows (`quantization_utils.cuh`); differs from the other in single codes at near-ties.
        case fast
    }

    /// What the activations become.
    public let format: Format
    /// The type of the activations.
    public let input: Input
    /// The order of the block scales.
    public let tiling: ScaleLayout.Tiling
    /// The elements of a row, `K`.
    public let columnCount: Int

    /// Describes a quantization.
    ///
    /// - Parameter columnCount: a multiple of 16 (MXFP4: 32); with ``EncodeScale/perRow`` at most 65536.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` for any other number.
    public init(
        _ format: Format, input: Input = .bfloat16, tiling: ScaleLayout.Tiling = .linear, columnCount: Int
    ) throws(CUDAError) {
        let blockSize = format == .mxfp4 ? MXFP4.blockSize : NVFP4.blockSize
        guard columnCount > 0, columnCount.isMultiple(of: blockSize), columnCount <= 1 << 30 else {
            throw CUDAError(
                .unsupported, "quantize: rows of \(columnCount) elements, expected a positive multiple of \(blockSize)")
        }
        if case .nvfp4(.perRow, _) = format, columnCount > Self.largestRowSize {
            throw CUDAError(
                .unsupported,
                "quantize: rows of \(columnCount) elements with a scale for each row, "
                    + "expected at most \(Self.largestRowSize)")
        }
        self.format = format
        self.input = input
        self.tiling = tiling
        self.columnCount = columnCount
    }

    /// Where the block scales of so many rows lie; nil if they are too many to count.
    public func scaleLayout(rowCount: Int) -> ScaleLayout? {
        let blockSize = format == .mxfp4 ? MXFP4.blockSize : NVFP4.blockSize
        return ScaleLayout(tiling, rowCount: rowCount, columnCount: columnCount / blockSize)
    }

    /// The program to compile.
    ///
    /// - Throws: ``CUDA/CUDAError`` if the sources lack its file.
    public func program(
        from sources: KernelSources, for architecture: Architecture
    ) throws(CUDAError) -> KernelProgram {
        let layout =
            switch tiling {
            case .linear: 0
            case .tiles128x4: 1
            case .tiles8x4: 2
            }
        var definitions = [
            "COLUMNS": columnCount, "FORMAT": format == .mxfp4 ? 1 : 0, "INPUT": input == .float16 ? 1 : 0,
            "LAYOUT": layout, "RULE": 0, "SCALE": isPerRow ? 1 : 0, "THREADS": threadCount,
            "PIECES_PER_THREAD": piecesPerThread,
        ]
        if case .nvfp4(_, .fast) = format { definitions["RULE"] = 1 }
        return try sources.program("any/quantize.cu", for: architecture, definitions: definitions)
    }

    /// The kernels, loaded into a stream's GPU.
    ///
    /// - Parameter stream: clears the few bytes of memory that the kernels share.
    /// - Throws: ``CUDA/CUDAError`` of the compiler or the driver.
    public func load(
        from sources: KernelSources, _ cache: KernelCache, on stream: Stream
    ) throws(CUDAError) -> Quantizer {
        let context = stream.context
        let module = try cache.module(try program(from: sources, for: context.device.architecture), in: context)
        return try Quantizer(self, module, on: stream)
    }
}

extension Quantize {
    private static let largestRowSize = 4 * 1024 * pieceSize
    /// The elements that a thread has at a time.
    static let pieceSize = 16

    /// The pieces of a row.
    var rowPieceCount: Int { columnCount / Self.pieceSize }

    var isPerRow: Bool { if case .nvfp4(.perRow, _) = format { true } else { false } }
    var isPerTensor: Bool { if case .nvfp4(.perTensor, _) = format { true } else { false } }

    var piecesPerThread: Int { isPerRow ? (rowPieceCount + 1023) / 1024 : 1 }

    /// The threads of a block; where a block has a row, as many as it takes.
    var threadCount: Int {
        isPerRow ? ((rowPieceCount + piecesPerThread - 1) / piecesPerThread + 31) / 32 * 32 : 128
    }
}
