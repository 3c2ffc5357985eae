#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define WIDTH 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#define KERNELS nibble_vector_kernels_avx2
#include "vector_body.inc"
#pragma clang attribute pop
#endif
