#include "stream.h"

typedef uint64_t vector __attribute__((vector_size(64), aligned(64)));

uint64_t nibble_stream_read(const void *bytes, size_t count) {
    const vector *vectors = bytes;
    vector sums[4] = {{0}};
    size_t blocks = count / sizeof(vector);
    size_t index = 0;
    // Four sums, so that no read waits for an addition; lines are asked for as far ahead as products do, since the
    // processor's own prefetcher stops at the end of each page.
    for (; index + 4 <= blocks; index += 4) {
        for (size_t lane = 0; lane < 4; lane++) {
            __builtin_prefetch((const char *)(vectors + index + lane) + 4096);
            sums[lane] ^= vectors[index + lane];
        }
    }
    for (; index < blocks; index++) sums[0] ^= vectors[index];
    vector sum = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
    uint64_t result = 0;
    for (size_t element = 0; element < 8; element++) result ^= sum[element];
    return result;
}
