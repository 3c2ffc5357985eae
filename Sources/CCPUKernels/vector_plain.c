#define WIDTH 4
#if defined(__x86_64__) // 16 registers
#define TILE_ROWS 2
#else
#define TILE_ROWS 6
#endif
#define TILE_PANELS 1
#define KERNELS nibble_vector_kernels_plain
#include "vector_body.inc"
