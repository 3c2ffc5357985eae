import CCPUKernels
import Synchronization

extension CPUBackend {
    /// Multiplies and adds in registers with all threads: what the processor computes at best.
    ///
    /// - Parameter roundCount: the rounds of each thread; one takes well below a microsecond.
    /// - Returns: the multiplications and additions done by all threads.
    public func runMultiplyAdds(roundCount: Int) -> Int {
        let kernel = instructionSet.peakKernel
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
    fileprivate var peakKernel: nibble_peak_kernel {
        #if arch(x86_64)
            switch self {
            case .avx512: nibble_peak_kernel_avx512().pointee
            case .avx2: nibble_peak_kernel_avx2().pointee
            case .plain, .neon: nibble_peak_kernel_plain().pointee
            }
        #else
            nibble_peak_kernel_plain().pointee
        #endif
    }
}
