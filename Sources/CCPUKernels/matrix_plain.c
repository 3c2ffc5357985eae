// No intrinsics: what the compiler makes of it on any processor.
#define WIDTH 16
#pragma clang diagnostic ignored "-Wpsabi" // vectors are only passed to functions that are inlined
#include "lanes.inc"
#include "matrix_compact.h"

#define DECODED_EXPONENT 1

INLINE void decode_columns(const uint8_t *line, int odd, bool multiplying, lanes columns[LINE_COLUMNS / 2]) {
    (void)multiplying;
    static const float twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    for (int row = 0; row < NIBBLE_BLOCK_ROWS; row++) {
        uint32_t codes;
        memcpy(&codes, line + 4 * row, 4);
        for (int i = 0; i < LINE_COLUMNS / 2; i++) columns[i][row] = twice[codes >> (8 * i + 4 * odd) & 15];
    }
}

INLINE lanes half_lanes(const uint8_t *line) {
    lanes values;
    for (int row = 0; row < NIBBLE_BLOCK_ROWS; row++) {
        uint16_t half;
        memcpy(&half, line + 2 * row, 2);
        values[row] = half_value(half);
    }
    return values;
}

typedef const uint8_t *compact_table;

INLINE compact_table load_table(const uint8_t table[16]) { return table; }

INLINE void decode_compact(const uint8_t *unit, compact_table table, lanes columns[8]) {
    for (size_t row = 0; row < NIBBLE_BLOCK_ROWS; row++) {
        for (size_t column = 0; column < 8; column++) {
            size_t place = compact_place(row, column), half = column / 4;
            uint32_t high = table[unit[place] >> 4 * half & 15], low = unit[LINE_BYTES * (1 + half) + place];
            columns[column][row] = __builtin_bit_cast(float, high << 24 | low << 16);
        }
    }
}

#include "matrix_bytes.inc"
#define SPLIT_ROW_LIMIT 0
#define KERNELS nibble_matrix_kernels_plain
#define FEW_ROWS 2
#define TILE_ROWS 6
#define PANEL_THRESHOLD 3
#include "matrix_body.inc"
