#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vnni"))), apply_to = function)
#define ELEMENT int32_t
#define WIDTH 16
#define SUMS 24
#define FACTOR -0x02020203 // bytes of -3
// vpdpbusd; the other factor is the sum, as the numbers are to change.
#define MULTIPLY_ADD(sum) (vector)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(sum), (__m512i)factor)
#define PRODUCTS 64
#define KERNEL nibble_int8_peak_kernel_avx512
#include "peak_body.inc"
#pragma clang attribute pop
#endif
