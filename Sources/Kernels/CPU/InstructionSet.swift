import CCPUKernels

/// The instructions a backend's kernels use.
public enum InstructionSet: String, CaseIterable, Sendable {
    /// What every processor of the architecture has.
    case plain
    /// AVX2, FMA and F16C (x86-64).
    case avx2
    /// AVX-512 F, BW, VL and DQ besides (x86-64).
    case avx512
    /// NEON (arm64).
    case neon

    /// The most capable one that this processor has.
    public static var best: InstructionSet { [.avx512, .avx2, .neon].first { $0.isAvailable } ?? .plain }

    /// Those that this processor has.
    public static var available: [InstructionSet] { allCases.filter(\.isAvailable) }

    /// Whether this processor has it.
    public var isAvailable: Bool { nibble_cpu_features() & requiredFeatures == requiredFeatures }

    private var requiredFeatures: UInt32 {
        let avx2 = NIBBLE_CPU_AVX2 | NIBBLE_CPU_FMA | NIBBLE_CPU_F16C
        let avx512 = NIBBLE_CPU_AVX512F | NIBBLE_CPU_AVX512BW | NIBBLE_CPU_AVX512VL | NIBBLE_CPU_AVX512DQ
        return switch self {
        case .plain: 0
        case .avx2: UInt32(avx2)
        case .avx512: UInt32(avx2 | avx512)
        case .neon: UInt32(NIBBLE_CPU_NEON)
        }
    }
}

extension InstructionSet {
    /// The row operations for these instructions; NEON is what every arm64 processor has.
    var vectorKernels: nibble_vector_kernels {
        #if arch(x86_64)
            switch self {
            case .avx512: nibble_vector_kernels_avx512().pointee
            case .avx2: nibble_vector_kernels_avx2().pointee
            case .plain, .neon: nibble_vector_kernels_plain().pointee
            }
        #else
            nibble_vector_kernels_plain().pointee
        #endif
    }
}
