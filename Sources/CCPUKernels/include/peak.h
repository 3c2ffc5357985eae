#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

/// Multiply-adds of registers alone: the most arithmetic of a kind that an instruction set does on one core.
typedef struct {
    /// Multiplications and additions of a round.
    size_t operations_per_round;
    /// Runs rounds of independent multiply-adds; returns a value that depends on all of them.
    float (*run)(size_t rounds);
} nibble_peak_kernel;

/// Float32 with what every processor of this architecture can run (SSE2, NEON).
const nibble_peak_kernel *nibble_peak_kernel_plain(void);

#if defined(__x86_64__)
/// Float32; needs AVX2 and FMA.
const nibble_peak_kernel *nibble_peak_kernel_avx2(void);

/// Float32; needs AVX-512 F.
const nibble_peak_kernel *nibble_peak_kernel_avx512(void);

/// Products of bytes, added up in 16 bits; needs AVX2.
const nibble_peak_kernel *nibble_int8_peak_kernel_avx2(void);

/// Products of bytes, added up in 32 bits; needs AVX-512 F and VNNI.
const nibble_peak_kernel *nibble_int8_peak_kernel_avx512(void);
#endif

#pragma clang assume_nonnull end
