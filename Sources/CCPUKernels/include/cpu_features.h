#pragma once
#include <stdint.h>

/// Instruction set extensions that both the processor and the operating system support.
enum {
    NIBBLE_CPU_AVX2 = 1 << 0,
    NIBBLE_CPU_FMA = 1 << 1,
    NIBBLE_CPU_F16C = 1 << 2,
    NIBBLE_CPU_AVX512F = 1 << 3,
    NIBBLE_CPU_AVX512BW = 1 << 4,
    NIBBLE_CPU_AVX512VL = 1 << 5,
    NIBBLE_CPU_AVX512DQ = 1 << 6,
    NIBBLE_CPU_AVX512VBMI = 1 << 7,
    NIBBLE_CPU_AVX512VNNI = 1 << 8,
    NIBBLE_CPU_AVX512BF16 = 1 << 9,
    NIBBLE_CPU_NEON = 1 << 10,
};

/// The bits above that this machine has.
uint32_t nibble_cpu_features(void);

/// The names of the extensions that this machine has, separated by spaces, most basic first.
const char *_Nonnull nibble_cpu_feature_names(void);

/// Tells the processor that this thread spins.
static inline void nibble_cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); // "yield" takes no time on most cores
#endif
}
