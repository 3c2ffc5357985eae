#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), \
                             apply_to = function)
#define WIDTH 16
#include "lanes.inc"
#include "matrix_layout.h"
#include "matrix_split.inc"

// A register is a line; column p of its rows is in nibble p, and a permutation looks 16 nibbles up at once.
#define DECODED_EXPONENT 1

INLINE void decode_columns(const uint8_t *line, int odd, bool multiplying, lanes columns[LINE_COLUMNS / 2]) {
    (void)multiplying;
    const __m512 twice = _mm512_setr_ps(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
    __m512i codes = _mm512_load_si512(line);
    for (int i = 0; i < LINE_COLUMNS / 2; i++) {
        columns[i] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 8 * i + 4 * odd), twice);
    }
}

INLINE lanes half_lanes(const uint8_t *line) { return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)line)); }

typedef __m512i compact_table;

INLINE compact_table load_table(const uint8_t table[16]) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
}

INLINE void decode_compact(const uint8_t *unit, compact_table table, lanes columns[8]) {
    const __m512i nibble = _mm512_set1_epi8(15), odd = _mm512_set1_epi32((int32_t)0xffff0000);
    __m512i codes = _mm512_load_si512(unit);
    for (int line = 0; line < 2; line++) {
        __m512i code = _mm512_and_si512(line == 0 ? codes : _mm512_srli_epi16(codes, 4), nibble);
        __m512i high = _mm512_shuffle_epi8(table, code), low = _mm512_load_si512(unit + (1 + line) * LINE_BYTES);
        __m512i pairs[2] = {_mm512_unpacklo_epi8(low, high), _mm512_unpackhi_epi8(low, high)};
        for (int pair = 0; pair < 2; pair++) {
            int column = 4 * line + 2 * pair;
            columns[column] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs[pair], 16));
            columns[column + 1] = _mm512_castsi512_ps(_mm512_and_si512(pairs[pair], odd));
        }
    }
}

// MARK: A few rows of digits

#define WITH_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))

WITH_VNNI INLINE __m512i broadcast(const void *four_bytes) {
    int32_t value;
    memcpy(&value, four_bytes, 4);
    return _mm512_set1_epi32(value);
}

// The integers 2 * weight + 12 of 16 rows and 16 columns, for the product of unsigned with signed bytes; a digit block's
// offset takes the 12 off again.
WITH_VNNI INLINE void byte_weights(const uint8_t *lines, __m512i weights[4]) {
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    const __m512i nibble = _mm512_set1_epi8(15);
    for (int line = 0; line < 2; line++) {
        __m512i codes = _mm512_load_si512(lines + line * LINE_BYTES);
        weights[2 * line] = _mm512_shuffle_epi8(table, _mm512_and_si512(codes, nibble));
        weights[2 * line + 1] = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(codes, 4), nibble));
    }
}

// For 16 rows and 16 columns, the sum of the products of weights and one place's digits, added to `sums`.
WITH_VNNI INLINE __m512i place_sums(__m512i sums, const __m512i weights[4], const int8_t digits[16]) {
    for (int i = 0; i < 4; i++) sums = _mm512_dpbusd_epi32(sums, weights[i], broadcast(digits + 4 * i));
    return sums;
}

// For 16 rows and 16 columns, twice the sum of weight * integer, which is below 2^31.
WITH_VNNI INLINE __m512i digit_products(const __m512i weights[4], const digit_block *x, const int digits) {
    __m512i low = place_sums(broadcast(&x->offset), weights, x->digits[0]);
    if (digits == 1) return low;
    const __m512i zero = _mm512_setzero_si512();
    __m512i middle = _mm512_slli_epi32(place_sums(zero, weights, x->digits[1]), 8);
    __m512i high = _mm512_slli_epi32(place_sums(zero, weights, x->digits[2]), 15); // counts negative
    return _mm512_sub_epi32(_mm512_add_epi32(low, middle), high);
}

// NVFP4's without their bias.
WITH_VNNI INLINE __m512 sixteen_scales(nibble_format format, const uint8_t *scales) {
    __m512i exponents = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)scales));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponents, format == NIBBLE_NVFP4 ? 20 : 23));
}

#define SPLIT_ROWS 8

WITH_VNNI INLINE void multiply_digits(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, const int row_count,
    float *output) {
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2; // of 16 columns, under one scale
    const size_t end = columns / 16 * NIBBLE_EXACT_BLOCK_BYTES;
    __m512 sums[SPLIT_ROWS];
    for (int row = 0; row < row_count; row++) sums[row] = _mm512_setzero_ps();
    for (size_t offset = 0; offset < end;) {
        const uint8_t *scales = block;
        block += LINE_BYTES;
        for (int group = 0; group < SCALED_GROUPS && offset < end; group++, scales += NIBBLE_BLOCK_ROWS) {
            __m512 group_sums[SPLIT_ROWS];
            for (size_t part = 0; part < parts; part++, offset += NIBBLE_EXACT_BLOCK_BYTES, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m512i weights[4];
                byte_weights(block, weights);
#pragma clang loop unroll(full)
                for (int row = 0; row < row_count; row++) {
                    const digit_block *x = (const digit_block *)(rows[row] + offset);
                    __m512 product = _mm512_cvtepi32_ps(digit_products(weights, x, NIBBLE_EXACT_DIGITS));
                    __m512 scale = _mm512_castsi512_ps(broadcast(&x->scale));
                    group_sums[row] = part == 0
                        ? _mm512_mul_ps(product, scale)
                        : _mm512_fmadd_ps(product, scale, group_sums[row]);
                }
            }
            __m512 scale = sixteen_scales(format, scales);
            for (int row = 0; row < row_count; row++) {
                sums[row] = _mm512_fmadd_ps(group_sums[row], scale, sums[row]);
            }
        }
    }
    const __m512 factor = _mm512_set1_ps(digit_sum_factor(format));
    for (int row = 0; row < row_count; row++) {
        _mm512_store_ps(output + row * NIBBLE_BLOCK_ROWS, _mm512_mul_ps(sums[row], factor));
    }
}

// MARK: Rows of one digit

// Adds the products of 16 rows and 16 columns with one digit.
WITH_VNNI INLINE __m512 add_byte_products(
    const __m512i weights[4], const digit_block *x, __m512 scales, __m512 sum) {
    __m512 whole = _mm512_cvtepi32_ps(digit_products(weights, x, NIBBLE_INT8_DIGITS));
    return _mm512_fmadd_ps(_mm512_mul_ps(whole, _mm512_castsi512_ps(broadcast(&x->scale))), scales, sum);
}

// The products with a few rows, whose sums stay in registers.
WITH_VNNI INLINE void multiply_few_bytes(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, size_t row_stride,
    const int row_count, float *output) {
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2, end = columns / 16 * row_stride;
    __m512 sums[REGISTER_ROWS];
    for (int row = 0; row < row_count; row++) sums[row] = _mm512_setzero_ps();
    for (size_t offset = 0; offset < end;) {
        const uint8_t *scale_bytes = block;
        block += LINE_BYTES;
        for (int group = 0; group < SCALED_GROUPS && offset < end; group++, scale_bytes += NIBBLE_BLOCK_ROWS) {
            const __m512 scales = sixteen_scales(format, scale_bytes);
            for (size_t part = 0; part < parts; part++, offset += row_stride, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m512i weights[4];
                byte_weights(block, weights);
#pragma clang loop unroll(full)
                for (int row = 0; row < row_count; row++) {
                    const digit_block *x = (const digit_block *)(rows[row] + offset);
                    sums[row] = add_byte_products(weights, x, scales, sums[row]);
                }
            }
        }
    }
    const __m512 factor = _mm512_set1_ps(digit_sum_factor(format));
    for (int row = 0; row < row_count; row++) {
        _mm512_store_ps(output + row * NIBBLE_BLOCK_ROWS, _mm512_mul_ps(sums[row], factor));
    }
}

// The products with more rows, whose sums are in memory: the weights of 16 columns stay in registers for all of them.
WITH_VNNI INLINE void multiply_many_bytes(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, size_t row_stride,
    size_t row_count, float *output) {
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2, end = columns / 16 * row_stride;
    memset(output, 0, row_count * NIBBLE_BLOCK_ROWS * sizeof(float));
    for (size_t offset = 0; offset < end;) {
        const uint8_t *scale_bytes = block;
        block += LINE_BYTES;
        for (int group = 0; group < SCALED_GROUPS && offset < end; group++, scale_bytes += NIBBLE_BLOCK_ROWS) {
            const __m512 scales = sixteen_scales(format, scale_bytes);
            for (size_t part = 0; part < parts; part++, offset += row_stride, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m512i weights[4];
                byte_weights(block, weights);
#pragma clang loop unroll_count(2)
                for (size_t row = 0; row < row_count; row++) {
                    const digit_block *x = (const digit_block *)(rows[row] + offset);
                    float *sums = output + row * NIBBLE_BLOCK_ROWS;
                    _mm512_store_ps(sums, add_byte_products(weights, x, scales, _mm512_load_ps(sums)));
                }
            }
        }
    }
    const __m512 factor = _mm512_set1_ps(digit_sum_factor(format));
    for (size_t row = 0; row < row_count; row++, output += NIBBLE_BLOCK_ROWS) {
        _mm512_store_ps(output, _mm512_mul_ps(_mm512_load_ps(output), factor));
    }
}

#define SPLIT_TARGET WITH_VNNI
#include "matrix_digits.inc"
#define SPLIT_ROW_LIMIT (PANEL_THRESHOLD - 1)
#define KERNELS nibble_matrix_kernels_avx512
#define FEW_ROWS 8
#define TILE_ROWS 12
#define PANEL_THRESHOLD 24
#include "matrix_body.inc"
#pragma clang attribute pop
#endif
