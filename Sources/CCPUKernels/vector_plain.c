#define WIDTH 4
#define KERNELS nibble_vector_kernels_plain
#include "vector_body.inc"
