#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#pragma clang diagnostic ignored "-Wpsabi" // vectors are only passed to functions that are inlined
#define WIDTH 16
#include "lanes.inc"
#include "matrix_layout.h"
#include "matrix_split.inc"

// Two registers as one vector of 16 rows.
INLINE lanes joined(__m256 low, __m256 high) {
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE __m256i constant(const void *p) { return _mm256_load_si256(p); }

// Whole vectors in memory. Where the decoded values are multiplied at once, the compiler takes them for unknown: it would
// keep constants in registers, which are wanted for sums.
typedef struct {
    uint8_t twice[32];
    uint8_t nibble[32];
    uint32_t top[8];
} decode_constants;

static const decode_constants decoding __attribute__((aligned(32))) = {
    .twice = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
              0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12},
    .nibble = {[0 ... 31] = 15},
    .top = {[0 ... 7] = 0xff000000},
};

// A byte of each word as the top one of an integer, converted: 2^24 times its value. Shifts and conversions are done by
// other units of the processor than the products, and masks by any.
INLINE __m256 byte_values(__m256i words, int place, const decode_constants *constants) {
    if (place < 3) words = _mm256_slli_epi32(words, 24 - 8 * place);
    if (place > 0) words = _mm256_and_si256(words, constant(constants->top));
    return _mm256_cvtepi32_ps(words);
}

#define DECODED_EXPONENT 25

INLINE void decode_columns(const uint8_t *line, int odd, bool multiplying, lanes columns[LINE_COLUMNS / 2]) {
    const decode_constants *constants = &decoding;
    if (multiplying) __asm__("" : "+r"(constants));
    __m256i bytes[2];
    for (int half = 0; half < 2; half++) {
        __m256i codes = _mm256_load_si256((const __m256i *)(line + 32 * half));
        if (odd) codes = _mm256_srli_epi16(codes, 4);
        bytes[half] =
            _mm256_shuffle_epi8(constant(constants->twice), _mm256_and_si256(codes, constant(constants->nibble)));
    }
    for (int i = 0; i < LINE_COLUMNS / 2; i++) {
        columns[i] = joined(byte_values(bytes[0], i, constants), byte_values(bytes[1], i, constants));
    }
}

INLINE lanes half_lanes(const uint8_t *line) {
    return joined(
        _mm256_cvtph_ps(_mm_load_si128((const __m128i *)line)),
        _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(line + 16))));
}

typedef __m256i compact_table;

INLINE compact_table load_table(const uint8_t table[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

INLINE void decode_compact(const uint8_t *unit, compact_table table, lanes columns[8]) {
    const __m256i nibble = _mm256_set1_epi8(15), odd = _mm256_set1_epi32((int32_t)0xffff0000);
    __m256 halves[8][2];
    for (int half = 0; half < 2; half++) {
        const __m256i *lines = (const __m256i *)(unit + 32 * half);
        __m256i codes = _mm256_load_si256(lines);
        for (int line = 0; line < 2; line++) {
            __m256i code = _mm256_and_si256(line == 0 ? codes : _mm256_srli_epi16(codes, 4), nibble);
            __m256i high = _mm256_shuffle_epi8(table, code), low = _mm256_load_si256(lines + 2 * (line + 1));
            __m256i pairs[2] = {_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)};
            for (int pair = 0; pair < 2; pair++) {
                int column = 4 * line + 2 * pair;
                halves[column][half] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs[pair], 16));
                halves[column + 1][half] = _mm256_castsi256_ps(_mm256_and_si256(pairs[pair], odd));
            }
        }
    }
    for (int i = 0; i < 8; i++) columns[i] = joined(halves[i][0], halves[i][1]);
}

// MARK: A few rows of digits

// Makes the compiler compute a value here: it would load all digits first, which are more than there are registers.
#define HERE(value) __asm__ volatile("" : "+x"(value))

#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE __m256i broadcast(const void *four_bytes) {
    int32_t value;
    memcpy(&value, four_bytes, 4);
    return _mm256_set1_epi32(value);
}

INLINE __m256 broadcast_float(const float *value) { return _mm256_castsi256_ps(broadcast(value)); }

// What the digits' products need besides registers: whole vectors, since a broadcast of bytes or of words takes an
// instruction, and a factor in memory none.
typedef struct {
    // 2 * weight + 12, for the product of unsigned with signed bytes; a digit block's offset takes the 12 off again.
    uint8_t table[32];
    uint8_t nibble[32];
    int16_t places[NIBBLE_EXACT_DIGITS][16];
} digit_constants;

static const digit_constants constants __attribute__((aligned(32))) = {
    .table = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0,
              12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0},
    .nibble = {[0 ... 31] = 15},
    .places = {{[0 ... 15] = 1}, {[0 ... 15] = 1 << 8}, {[0 ... 15] = -(1 << 15)}},
};

// The integers 2 * weight + 12 of 8 rows, and of 4 columns of each: the even ones of 8, or the odd ones.
INLINE __m256i byte_weights(__m256i codes, int odd, __m256i table, __m256i nibble) {
    if (odd) codes = _mm256_srli_epi16(codes, 4);
    return _mm256_shuffle_epi8(table, _mm256_and_si256(codes, nibble));
}

// Twice the sums of weight * integer, below 2^31, of 16 rows and 16 columns, from the sums of each place, at most
// 4 * 2 * 24 * 128 = 24576 in 16 bits, of every other pair of columns.
INLINE void join_places(
    __m256i sums[NIBBLE_EXACT_DIGITS][2], const digit_block *x, const digit_constants *constants,
    __m256i products[2]) {
    UNROLLED for (int place = 0; place < NIBBLE_EXACT_DIGITS; place++) {
        UNROLLED for (int half = 0; half < 2; half++) {
            sums[place][half] = _mm256_madd_epi16(sums[place][half], constant(constants->places[place]));
            HERE(sums[place][half]);
        }
    }
    const __m256i offset = broadcast(&x->offset);
    UNROLLED for (int half = 0; half < 2; half++) {
        products[half] = _mm256_add_epi32(sums[0][half], offset);
        HERE(products[half]);
    }
    UNROLLED for (int half = 0; half < 2; half++) {
        products[half] = _mm256_add_epi32(products[half], _mm256_add_epi32(sums[1][half], sums[2][half]));
        HERE(products[half]);
    }
}

// Adds the products of four columns of 16 rows with one place's digits.
INLINE void add_products(const __m256i weights[2], const digit_block *x, int place, int four, __m256i sums[2]) {
    const __m256i digits = broadcast(x->digits[place] + 4 * four);
    __m256i products[2];
    UNROLLED for (int half = 0; half < 2; half++) {
        products[half] = _mm256_maddubs_epi16(weights[half], digits);
        HERE(products[half]);
    }
    UNROLLED for (int half = 0; half < 2; half++) {
        sums[half] = four == 0 ? products[half] : _mm256_add_epi16(sums[half], products[half]);
        HERE(sums[half]);
    }
}

// NVFP4's without their bias.
INLINE __m256 eight_scales(nibble_format format, const uint8_t *scales) {
    __m256i exponents = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)scales));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponents, format == NIBBLE_NVFP4 ? 20 : 23));
}

#define SPLIT_ROWS 3 // more are cheaper as float32

// The products of 16 rows and 16 columns with each of some rows, whose six sums stay in registers. Weights are looked
// up between the first row's products, four columns at a time.
INLINE void digit_products(
    const uint8_t *lines, const digit_block *const x[SPLIT_ROWS], const int row_count, __m256i table, __m256i nibble,
    const digit_constants *constants, __m256i products[SPLIT_ROWS][2]) {
    __m256i weights[4][2];
    UNROLLED for (int row = 0; row < row_count; row++) {
        __m256i sums[NIBBLE_EXACT_DIGITS][2];
        UNROLLED for (int four = 0; four < 4; four++) {
            UNROLLED for (int half = 0; half < 2 && row == 0; half++) {
                __m256i codes = constant(lines + four / 2 * LINE_BYTES + half * 32);
                weights[four][half] = byte_weights(codes, four % 2, table, nibble);
            }
            UNROLLED for (int place = 0; place < NIBBLE_EXACT_DIGITS; place++) {
                add_products(weights[four], x[row], place, four, sums[place]);
            }
        }
        join_places(sums, x[row], constants, products[row]);
    }
}

INLINE void multiply_digits(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, const int row_count,
    float *output) {
    // Beside the values that the compiler puts on the stack: the processor takes a load for one of what was stored
    // last at the same place of any page, and where constants and stack met, two rows took twice as long.
    const digit_constants beside_stack __attribute__((aligned(32))) = constants, *vectors = &beside_stack;
    __asm__("" : "+r"(vectors)); // a constant that the compiler knows it would broadcast
    __m256i table = constant(vectors->table), nibble = constant(vectors->nibble);
    HERE(table);
    HERE(nibble);
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2; // of 16 columns, under one scale
    __m256 sums[SPLIT_ROWS][2];
    const digit_block *x[SPLIT_ROWS];
    for (int row = 0; row < row_count; row++) {
        sums[row][0] = sums[row][1] = _mm256_setzero_ps();
        x[row] = (const digit_block *)rows[row];
    }
    for (size_t rest = columns / (16 * parts), groups; rest > 0; rest -= groups) {
        const uint8_t *scales = block;
        block += LINE_BYTES;
        groups = rest < SCALED_GROUPS ? rest : SCALED_GROUPS;
#pragma clang loop unroll_count(SCALED_GROUPS)
        for (size_t group = 0; group < groups; group++, scales += NIBBLE_BLOCK_ROWS) {
            __m256 group_sums[SPLIT_ROWS][2];
            UNROLLED for (size_t part = 0; part < parts; part++, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m256i products[SPLIT_ROWS][2];
                digit_products(block, x, row_count, table, nibble, vectors, products);
                UNROLLED for (int row = 0; row < row_count; row++) {
                    __m256 scale = broadcast_float(&x[row]->scale);
                    x[row] = next_block(x[row], NIBBLE_EXACT_BLOCK_BYTES);
                    UNROLLED for (int half = 0; half < 2; half++) {
                        __m256 product = _mm256_cvtepi32_ps(products[row][half]);
                        group_sums[row][half] = part == 0
                            ? _mm256_mul_ps(product, scale)
                            : _mm256_fmadd_ps(product, scale, group_sums[row][half]);
                    }
                }
            }
            UNROLLED for (int half = 0; half < 2; half++) {
                __m256 scale = eight_scales(format, scales + 8 * half);
                UNROLLED for (int row = 0; row < row_count; row++) {
                    sums[row][half] = _mm256_fmadd_ps(group_sums[row][half], scale, sums[row][half]);
                }
            }
        }
    }
    const __m256 factor = _mm256_set1_ps(digit_sum_factor(format));
    for (int row = 0; row < row_count; row++) {
        _mm256_store_ps(output + row * NIBBLE_BLOCK_ROWS, _mm256_mul_ps(sums[row][0], factor));
        _mm256_store_ps(output + row * NIBBLE_BLOCK_ROWS + 8, _mm256_mul_ps(sums[row][1], factor));
    }
}

// MARK: Rows of one digit

// The integers of four columns of 16 rows.
INLINE void look_up(
    const uint8_t *lines, int four, __m256i table, __m256i nibble, __m256i weights[2]) {
    UNROLLED for (int half = 0; half < 2; half++) {
        weights[half] = byte_weights(constant(lines + four / 2 * LINE_BYTES + half * 32), four % 2, table, nibble);
        HERE(weights[half]);
    }
}

// The products of 16 rows and 16 columns with a row of one digit, from the sums of four columns each, without the weights'
// scale.
INLINE void byte_products(
    __m256i sums[2], const digit_block *x, const digit_constants *constants, __m256 products[2]) {
    UNROLLED for (int half = 0; half < 2; half++) {
        sums[half] = _mm256_madd_epi16(sums[half], constant(constants->places[0]));
        HERE(sums[half]);
    }
    const __m256 scale = broadcast_float(&x->scale), offset = broadcast_float(&x->scaled_offset);
    UNROLLED for (int half = 0; half < 2; half++) {
        // With the scale, since integer additions would take turns on the units that multiply.
        products[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[half]), scale, offset);
    }
}

// The products with a few rows, whose sums stay in registers. Weights are looked up between the first row's products.
INLINE void multiply_few_bytes(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, size_t row_stride,
    const int row_count, float *output) {
    const digit_constants beside_stack __attribute__((aligned(32))) = constants, *vectors = &beside_stack;
    __asm__("" : "+r"(vectors));
    __m256i table = constant(vectors->table), nibble = constant(vectors->nibble);
    HERE(table);
    HERE(nibble);
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2;
    __m256 sums[REGISTER_ROWS][2];
    const digit_block *x[REGISTER_ROWS];
    for (int row = 0; row < row_count; row++) {
        sums[row][0] = sums[row][1] = _mm256_setzero_ps();
        x[row] = (const digit_block *)rows[row];
    }
    for (size_t rest = columns / (16 * parts), groups; rest > 0; rest -= groups) {
        const uint8_t *scale_bytes = block;
        block += LINE_BYTES;
        groups = rest < SCALED_GROUPS ? rest : SCALED_GROUPS;
#pragma clang loop unroll_count(SCALED_GROUPS)
        for (size_t group = 0; group < groups; group++, scale_bytes += NIBBLE_BLOCK_ROWS) {
            UNROLLED for (size_t part = 0; part < parts; part++, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m256i weights[4][2];
                UNROLLED for (int row = 0; row < row_count; row++) {
                    __m256i four_sums[2];
                    UNROLLED for (int four = 0; four < 4; four++) {
                        if (row == 0) look_up(block, four, table, nibble, weights[four]);
                        add_products(weights[four], x[row], 0, four, four_sums);
                    }
                    __m256 products[2];
                    byte_products(four_sums, x[row], vectors, products);
                    x[row] = next_block(x[row], row_stride);
                    UNROLLED for (int half = 0; half < 2; half++) {
                        __m256 scale = eight_scales(format, scale_bytes + 8 * half);
                        sums[row][half] = _mm256_fmadd_ps(products[half], scale, sums[row][half]);
                    }
                }
            }
        }
    }
    const __m256 factor = _mm256_set1_ps(digit_sum_factor(format));
    for (int row = 0; row < row_count; row++) {
        _mm256_store_ps(output + row * NIBBLE_BLOCK_ROWS, _mm256_mul_ps(sums[row][0], factor));
        _mm256_store_ps(output + row * NIBBLE_BLOCK_ROWS + 8, _mm256_mul_ps(sums[row][1], factor));
    }
}

// The products with more rows, whose sums are in memory: the weights of 16 columns stay in registers for all of them.
INLINE void multiply_many_bytes(
    nibble_format format, const uint8_t *block, size_t columns, const uint8_t *const *rows, size_t row_stride,
    size_t row_count, float *output) {
    const digit_constants beside_stack __attribute__((aligned(32))) = constants, *vectors = &beside_stack;
    __asm__("" : "+r"(vectors));
    const size_t parts = format == NIBBLE_NVFP4 ? 1 : 2, end = columns / 16 * row_stride;
    memset(output, 0, row_count * NIBBLE_BLOCK_ROWS * sizeof(float));
    for (size_t offset = 0; offset < end;) {
        const uint8_t *scale_bytes = block;
        block += LINE_BYTES;
        for (int group = 0; group < SCALED_GROUPS && offset < end; group++, scale_bytes += NIBBLE_BLOCK_ROWS) {
            const __m256 scales[2] = {eight_scales(format, scale_bytes), eight_scales(format, scale_bytes + 8)};
            for (size_t part = 0; part < parts; part++, offset += row_stride, block += 2 * LINE_BYTES) {
                PREFETCH_FAR(block);
                PREFETCH_FAR(block + LINE_BYTES);
                __m256i weights[4][2];
                UNROLLED for (int four = 0; four < 4; four++) {
                    look_up(block, four, constant(vectors->table), constant(vectors->nibble), weights[four]);
                }
#pragma clang loop unroll_count(2)
                for (size_t row = 0; row < row_count; row++) {
                    const digit_block *x = (const digit_block *)(rows[row] + offset);
                    __m256i four_sums[2];
                    UNROLLED for (int four = 0; four < 4; four++) add_products(weights[four], x, 0, four, four_sums);
                    __m256 products[2];
                    byte_products(four_sums, x, vectors, products);
                    UNROLLED for (int half = 0; half < 2; half++) {
                        float *sums = output + row * NIBBLE_BLOCK_ROWS + 8 * half;
                        _mm256_store_ps(sums, _mm256_fmadd_ps(products[half], scales[half], _mm256_load_ps(sums)));
                    }
                }
            }
        }
    }
    const __m256 factor = _mm256_set1_ps(digit_sum_factor(format));
    for (size_t i = 0; i < row_count * NIBBLE_BLOCK_ROWS; i += 8) {
        _mm256_store_ps(output + i, _mm256_mul_ps(_mm256_load_ps(output + i), factor));
    }
}

#define SPLIT_TARGET
#include "matrix_digits.inc"
#define SPLIT_ROW_LIMIT SPLIT_ROWS
#define KERNELS nibble_matrix_kernels_avx2
#define FEW_ROWS 5
#define TILE_ROWS 6
#define PANEL_THRESHOLD 11
#include "matrix_body.inc"
#pragma clang attribute pop
#endif
