import CCPUKernels

extension InstructionSet {
    /// The products of packed matrices for these instructions.
    var matrixKernels: nibble_matrix_kernels {
        #if arch(x86_64)
            switch self {
            case .avx512:
                var kernels = nibble_matrix_kernels_avx512().pointee
                if !hasByteProductsOfAVX512 {
                    let avx2 = nibble_matrix_kernels_avx2().pointee
                    kernels.split_row_limit = avx2.split_row_limit
                    kernels.multiply_split_rows = avx2.multiply_split_rows
                }
                return kernels
            case .avx2: return nibble_matrix_kernels_avx2().pointee
            case .plain, .neon: return nibble_matrix_kernels_plain().pointee
            }
        #elseif arch(arm64)
            switch self {
            case .neon: return nibble_matrix_kernels_neon().pointee
            case .plain, .avx2, .avx512: return nibble_matrix_kernels_plain().pointee
            }
        #else
            return nibble_matrix_kernels_plain().pointee
        #endif
    }

    #if arch(x86_64)
        /// Whether this processor has VNNI; without, AVX-512's products of bytes are those of AVX2.
        var hasByteProductsOfAVX512: Bool { nibble_cpu_features() & UInt32(NIBBLE_CPU_AVX512VNNI) != 0 }
    #endif
}
