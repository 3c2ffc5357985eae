#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define WIDTH 8
#define SUMS 12
#define KERNEL nibble_peak_kernel_avx2
#include "peak_body.inc"
#pragma clang attribute pop
#endif
