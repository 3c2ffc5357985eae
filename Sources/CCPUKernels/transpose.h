// A square of four by four words of 32 bits, transposed.
#pragma once
#include <stdint.h>

typedef uint32_t words4 __attribute__((ext_vector_type(4)));

static inline __attribute__((always_inline)) void transpose(words4 square[4]) {
    words4 low[2], high[2];
    for (int i = 0; i < 2; i++) {
        low[i] = __builtin_shufflevector(square[i], square[i + 2], 0, 4, 1, 5);
        high[i] = __builtin_shufflevector(square[i], square[i + 2], 2, 6, 3, 7);
    }
    square[0] = __builtin_shufflevector(low[0], low[1], 0, 4, 1, 5);
    square[1] = __builtin_shufflevector(low[0], low[1], 2, 6, 3, 7);
    square[2] = __builtin_shufflevector(high[0], high[1], 0, 4, 1, 5);
    square[3] = __builtin_shufflevector(high[0], high[1], 2, 6, 3, 7);
}
