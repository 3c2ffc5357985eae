#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

/// Multiply-adds of registers alone: the most float32 arithmetic that an instruction set does on one core.
typedef struct {
    /// Multiplications and additions of a round.
    size_t operations_per_round;
    /// Runs rounds of independent multiply-adds; returns a value that depends on all of them.
    float (*run)(size_t rounds);
} nibble_peak_kernel;

/// What every processor of this architecture can run (SSE2, NEON).
const nibble_peak_kernel *nibble_peak_kernel_plain(void);

#if defined(__x86_64__)
/// Needs AVX2 and FMA.
const nibble_peak_kernel *nibble_peak_kernel_avx2(void);

/// Needs AVX-512 F.
const nibble_peak_kernel *nibble_peak_kernel_avx512(void);
#endif

#pragma clang assume_nonnull end
