#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define ELEMENT int16_t
#define WIDTH 16
#define SUMS 12
#define FACTOR -0x0203 // bytes of -3
// vpmaddubsw and vpaddw. The other factor is the sum, since products of what does not change would be computed once.
#define MULTIPLY_ADD(sum) \
    (vector)_mm256_add_epi16((__m256i)(sum), _mm256_maddubs_epi16((__m256i)(sum), (__m256i)factor))
#define PRODUCTS 32
#define KERNEL nibble_int8_peak_kernel_avx2
#include "peak_body.inc"
#pragma clang attribute pop
#endif
