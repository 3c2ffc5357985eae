import CCPUKernels
import Synchronization

/// What the products with quantized weights multiply.
public enum ProductFactors: Sendable {
    /// Numbers in float32.
    case float32
    /// Integers of 8 bits: in float32 too, where an instruction set's kernels have no products of bytes.
    case int8
}

extension CPUBackend {
    /// Multiplies and adds in registers with all threads: what the processor computes at best.
    ///
    /// - Parameters:
    ///   - factors: the instructions are those that the kernels take for products of these.
    ///   - roundCount: the rounds of each thread; one takes well below a microsecond.
    /// - Returns: the multiplications and additions done by all threads.
    public func runMultiplyAdds(of factors: ProductFactors, roundCount: Int) -> Int {
        let kernel = instructionSet.peakKernel(of: factors)
        let checksum = Atomic<UInt32>(0)
        pool.run(threadCount) { _ in
            // The sum is used, so that no compiler leaves the arithmetic out.
            checksum.bitwiseXor(kernel.run(roundCount).bitPattern, ordering: .relaxed)
        }
        return threadCount * roundCount * kernel.operations_per_round
    }
}

extension InstructionSet {
    /// The peak of arithmetic with these instructions; NEON is what every arm64 processor has.
    fileprivate func peakKernel(of factors: ProductFactors) -> nibble_peak_kernel {
        #if arch(x86_64)
            switch (self, factors) {
            case (.avx512, .int8) where hasByteProductsOfAVX512: nibble_int8_peak_kernel_avx512().pointee
            case (.avx512, .int8), (.avx2, .int8): nibble_int8_peak_kernel_avx2().pointee
            case (.avx512, .float32): nibble_peak_kernel_avx512().pointee
            case (.avx2, .float32): nibble_peak_kernel_avx2().pointee
            case (.plain, _), (.neon, _): nibble_peak_kernel_plain().pointee
            }
        #else
            nibble_peak_kernel_plain().pointee
        #endif
    }
}
