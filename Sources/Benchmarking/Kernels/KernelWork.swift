public import FP4
import Kernels

/// What an operation has to move and to compute, whatever the device.
public struct KernelWork: Sendable, Equatable {
    /// Bytes that are read and written at least.
    public let byteCount: Int
    /// Multiplications and additions, of integers where activations are such; 0 if the operation is not about them.
    public let operationCount: Int

    /// The activations and their NVFP4 codes and scales, with the scales' padding.
    public static func quantize(_ layout: ScaleLayout) -> KernelWork {
        let valueCount = layout.rowCount * layout.columnCount * NVFP4.blockSize
        return KernelWork(byteCount: 4 * valueCount + valueCount / 2 + layout.byteCount, operationCount: 0)
    }

    /// The logits.
    public static func route(_ shape: LayerShape, tokenCount: Int) -> KernelWork {
        KernelWork(byteCount: 4 * tokenCount * shape.expertCount, operationCount: 0)
    }

    /// The matrix; activations stay in the caches.
    public static func linear(_ shape: LayerShape, tokenCount: Int) -> KernelWork {
        KernelWork(
            byteCount: shape.linearByteCount, operationCount: 2 * tokenCount * shape.hiddenSize * shape.hiddenSize)
    }

    /// The experts that are hit, each once; activations stay in the caches.
    public static func moe(_ shape: LayerShape, tokenCount: Int, distinctExpertCount: Int) -> KernelWork {
        KernelWork(
            byteCount: distinctExpertCount * shape.expertByteCount,
            operationCount: 6 * tokenCount * shape.routing.topK * shape.hiddenSize * shape.intermediateSize)
    }
}
