// Compact BF16: the numbers of a BF16 matrix in 12 bits each. docs/kernels.md explains it.
//
// The low byte of a number, the last bit of its exponent and its mantissa, stays as it is. Of the high byte, the sign and
// the other 7 bits of the exponent, a block has few different ones: a code of 4 bits selects it from the block's table.
// Numbers with another high byte are zero in the block and listed as exceptions.
#pragma once
#include <stdint.h>

#include "matrix_layout.h"

enum {
    // Columns of a line of codes, which the two lines of low bytes of its columns 0-3 and 4-7 follow. In a line, the
    // bytes of 4 rows and columns (0, 1), those of columns (2, 3), and then the next 4 rows'. A byte of codes has the
    // code of column p in its low and that of column p + 4 in its high nibble.
    COMPACT_COLUMNS = 8,
    COMPACT_UNIT_BYTES = 3 * LINE_BYTES,
};

// A number that is not in its block.
typedef struct {
    uint32_t column;
    uint16_t row;
    uint16_t bits;
} compact_exception;

// The first line of a block.
typedef struct {
    // The high byte of each code; codes 0 and 8 are ±0 and the smallest numbers, code + 8 is the negative of code.
    uint8_t table[16];
    // Exceptions in the order of their columns, or the whole block as plain BF16.
    const void *aside;
    uint32_t exception_count;
    uint32_t is_plain;
    uint8_t unused[32];
} compact_header;

_Static_assert(sizeof(compact_header) == LINE_BYTES, "a header is one line");
_Static_assert(sizeof(compact_exception) == 8, "an exception is 8 bytes");

// Where a line of low bytes, or of codes, has those of a row and column.
static inline size_t compact_place(size_t row, size_t column) {
    return row / 4 * 16 + column / 2 % 2 * 8 + row % 4 * 2 + column % 2;
}

void nibble_read_compact_row(const uint8_t *block, size_t columns, size_t row, float *output);
