#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), apply_to = function)
#define WIDTH 16
#define SUMS 24
#define KERNEL nibble_peak_kernel_avx512
#include "peak_body.inc"
#pragma clang attribute pop
#endif
