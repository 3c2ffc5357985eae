#if defined(__aarch64__)
#include <arm_neon.h>
#define WIDTH 16
#include "lanes.inc"
#include "matrix_layout.h"

INLINE lanes joined(const float32x4_t rows[4]) {
    lanes values;
    memcpy(&values, rows, sizeof values);
    return values;
}

#define DECODED_EXPONENT 1

// Twice the values as bytes; each is shifted into place with its sign and converted.
INLINE void decode_columns(const uint8_t *line, int odd, bool multiplying, lanes columns[LINE_COLUMNS / 2]) {
    (void)multiplying;
    static const int8_t twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const int8x16_t table = vld1q_s8(twice);
    float32x4_t rows[LINE_COLUMNS / 2][4];
    for (int quarter = 0; quarter < 4; quarter++) {
        uint8x16_t codes = vld1q_u8(line + 16 * quarter);
        codes = odd ? vshrq_n_u8(codes, 4) : vandq_u8(codes, vdupq_n_u8(15));
        int32x4_t bytes = vreinterpretq_s32_s8(vqtbl1q_s8(table, codes));
        for (int i = 0; i < LINE_COLUMNS / 2; i++) {
            const int32x4_t left = vdupq_n_s32(24 - 8 * i);
            rows[i][quarter] = vcvtq_f32_s32(vshrq_n_s32(vshlq_s32(bytes, left), 24));
        }
    }
    for (int i = 0; i < LINE_COLUMNS / 2; i++) columns[i] = joined(rows[i]);
}

INLINE lanes half_lanes(const uint8_t *line) {
    float32x4_t rows[4];
    for (int quarter = 0; quarter < 4; quarter++) {
        uint16x4_t halves = vld1_u16((const uint16_t *)line + 4 * quarter);
        rows[quarter] = vcvt_f32_f16(vreinterpret_f16_u16(halves));
    }
    return joined(rows);
}

typedef uint8x16_t compact_table;

INLINE compact_table load_table(const uint8_t table[16]) { return vld1q_u8(table); }

INLINE void decode_compact(const uint8_t *unit, compact_table table, lanes columns[8]) {
    const uint8x16_t nibble = vdupq_n_u8(15);
    float32x4_t rows[8][4];
    for (int quarter = 0; quarter < 4; quarter++) {
        uint8x16_t codes = vld1q_u8(unit + 16 * quarter);
        for (int line = 0; line < 2; line++) {
            uint8x16_t high = vqtbl1q_u8(table, line == 0 ? vandq_u8(codes, nibble) : vshrq_n_u8(codes, 4));
            uint8x16_t low = vld1q_u8(unit + (1 + line) * LINE_BYTES + 16 * quarter);
            uint32x4_t pairs[2] = {
                vreinterpretq_u32_u8(vzip1q_u8(low, high)), vreinterpretq_u32_u8(vzip2q_u8(low, high))};
            for (int pair = 0; pair < 2; pair++) {
                int column = 4 * line + 2 * pair;
                rows[column][quarter] = vreinterpretq_f32_u32(vshlq_n_u32(pairs[pair], 16));
                rows[column + 1][quarter] =
                    vreinterpretq_f32_u32(vandq_u32(pairs[pair], vdupq_n_u32(0xffff0000)));
            }
        }
    }
    for (int column = 0; column < 8; column++) columns[column] = joined(rows[column]);
}

#include "matrix_bytes.inc"
#define SPLIT_ROW_LIMIT 0
#define KERNELS nibble_matrix_kernels_neon
#define FEW_ROWS 4
#define TILE_ROWS 6
#define PANEL_THRESHOLD 5
#include "matrix_body.inc"
#endif
