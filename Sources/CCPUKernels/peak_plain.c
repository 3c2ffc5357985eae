#define WIDTH 4
#if defined(__x86_64__)
#define SUMS 12
#else
#define SUMS 24
#endif
#define KERNEL nibble_peak_kernel_plain
#include "peak_body.inc"
