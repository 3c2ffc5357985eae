// The layout of packed blocks, for the files that read and write them. docs/kernels.md explains it.
#pragma once
#include <string.h>

#include "matrix.h"

enum {
    // 16 rows by 8 columns of codes: the checkpoint's 4 bytes of each row, column p of them in nibble p.
    LINE_BYTES = 64,
    LINE_COLUMNS = 8,
    // A line of scales, 16 rows by 4 groups of columns, precedes the codes of these groups.
    SCALED_GROUPS = 4,
    // NVFP4's scale byte holds 5 bits of exponent and 3 of mantissa, without subnormals, so that
    // (byte << 20) + (SCALE_BIAS << 23) is the float32 pattern of the scale.
    SCALE_BIAS = 117,
};

// Far enough ahead for memory to answer; a thread's blocks follow each other. A page, of which the processor does not read
// the rest by itself.
#define PREFETCH_FAR(p) __builtin_prefetch((const uint8_t *)(p) + PREFETCH_FAR_BYTES)
#ifndef PREFETCH_FAR_BYTES
#define PREFETCH_FAR_BYTES 4096
#endif

static inline size_t group_columns(nibble_format format) { return format == NIBBLE_NVFP4 ? 16 : 32; }

static inline bool is_packed(nibble_format format) { return format == NIBBLE_NVFP4 || format == NIBBLE_MXFP4; }

// The bytes that precede a column of a block; for packed formats a multiple of the columns of a line of scales.
static inline size_t bytes_before(nibble_format format, size_t column) {
    switch (format) {
    case NIBBLE_NVFP4:
    case NIBBLE_MXFP4: return column / (SCALED_GROUPS * group_columns(format)) * LINE_BYTES + column * 8;
    case NIBBLE_BFLOAT16:
    case NIBBLE_FLOAT16: return column * 32;
    case NIBBLE_FLOAT32: return column * 64;
    case NIBBLE_COMPACT_BFLOAT16: return LINE_BYTES + (column + 7) / 8 * 3 * LINE_BYTES;
    }
}

enum { DIGIT_SCALE_EXPONENT = 60 };

// Sixteen activations as integers times a scale. Three digits are an integer of 23 bits, the sum of digits 0, 1 and 2 times
// 1, 2^8 and -2^15 (the last is negative to fit a signed 16-bit factor), and the scale a power of two. One digit is an
// integer from -127 to 127.
typedef struct {
    // Times 2^DIGIT_SCALE_EXPONENT.
    float scale;
    // -12 times the sum of the integers, modulo 2^32: the packed kernels look up 2 * weight + 12.
    int32_t offset;
    // The product of both, exact for one digit, whose scale has 11 significant bits; unused for three.
    float scaled_offset;
    // In the order in which a line's bytes hold the columns: even columns of 8, then odd ones, twice.
    int8_t digits[][16];
} digit_block;

static inline const digit_block *next_block(const digit_block *block, size_t stride) {
    return (const digit_block *)((const uint8_t *)block + stride);
}

enum {
    // Rows of one digit whose sums stay in registers; more have the weights in registers and the sums in memory.
    REGISTER_ROWS = 3,
    // Rows of one digit for which a block is decoded once: their sums take 4 KiB of the first-level cache.
    MEMORY_ROWS = 64,
};

// What sums of digit products have to be multiplied with: they are of twice the weights, and their scales lack NVFP4's
// bias and have that of the digits' scale, which keeps the product of the two scales a normal number.
static inline float digit_sum_factor(nibble_format format) {
    return format == NIBBLE_NVFP4 ? 0x1p56f : 0x1p-61f; // 2^(SCALE_BIAS - DIGIT_SCALE_EXPONENT - 1), 2^(-60 - 1)
}

// A half-precision number, without the compiler's support routines that not every system links.
static inline float half_value(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    uint32_t bits = magnitude << 13;
    float value;
    if (magnitude >= 0x7c00) {
        bits |= 0x7f800000; // infinity or NaN
        memcpy(&value, &bits, 4);
    } else {
        memcpy(&value, &bits, 4);
        value *= 0x1p112f; // from half's exponent bias to float's; exact, also for subnormals
    }
    memcpy(&bits, &value, 4);
    bits |= sign;
    memcpy(&value, &bits, 4);
    return value;
}
