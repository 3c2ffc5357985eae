// Packing of checkpoint matrices, and reading single rows back. Portable; runs at the speed of memory when row-major.
#include <string.h>

#include "matrix_compact.h"
#include "transpose.h"

enum { E4M3_NAN = 0x7f, E8M0_NAN = 0xff };

// Inlined where format and strides are constants.
#define ALWAYS_INLINE inline __attribute__((always_inline))

size_t nibble_block_bytes(nibble_format format, size_t columns) {
    if (is_packed(format)) {
        size_t groups = columns / group_columns(format);
        return (groups + SCALED_GROUPS - 1) / SCALED_GROUPS * LINE_BYTES + columns * 8;
    }
    // Two columns of bfloat16 share a line.
    return bytes_before(format, format == NIBBLE_BFLOAT16 ? columns + columns % 2 : columns);
}

// An E4M3 magnitude in the form of the packed layout; 0 for 0, whose codes have to be zero.
static uint8_t packed_scale(uint8_t magnitude) {
    int exponent = magnitude >> 3, mantissa = magnitude & 7;
    if (exponent == 0) { // subnormal: shift the mantissa up to its implicit one
        if (mantissa == 0) return 0;
        int shift = mantissa >= 4 ? 1 : mantissa >= 2 ? 2 : 3;
        return (uint8_t)((4 - shift) << 3 | ((mantissa << shift) & 7));
    }
    return (uint8_t)((exponent + 3) << 3 | mantissa);
}

// Four bytes of codes; at most eight columns apart.
static ALWAYS_INLINE uint32_t code_word(const uint8_t *bytes, ptrdiff_t stride) {
    uint32_t word;
    if (stride == 1) {
        memcpy(&word, bytes, 4);
        return word;
    }
    return (uint32_t)bytes[0] | (uint32_t)bytes[stride] << 8 | (uint32_t)bytes[2 * stride] << 16 |
           (uint32_t)bytes[3 * stride] << 24;
}

// One row's codes of a group of columns, with their scale.
static ALWAYS_INLINE bool pack_group(
    nibble_format format, const uint8_t *codes, ptrdiff_t stride, uint8_t scale, uint8_t *scales, uint8_t *lines) {
    uint32_t signs = 0, keep = UINT32_MAX;
    if (format == NIBBLE_NVFP4) {
        uint8_t magnitude = scale & 0x7f;
        if (magnitude == E4M3_NAN) return false;
        if (scale & 0x80) signs = 0x88888888; // a negative scale: negate the codes
        *scales = packed_scale(magnitude);
        if (magnitude == 0) keep = signs = 0;
    } else {
        if (scale == E8M0_NAN) return false;
        *scales = scale;
    }
    for (size_t line = 0; line < group_columns(format) / LINE_COLUMNS; line++) {
        uint32_t word = (code_word(codes + (ptrdiff_t)line * 4 * stride, stride) ^ signs) & keep;
        memcpy(lines + line * LINE_BYTES, &word, 4);
    }
    return true;
}

typedef uint8_t bytes16 __attribute__((ext_vector_type(16)));

// The four block scales of each of 16 rows to a line of scales: false, with nothing of use written, unless they are what
// packing keeps as it is or adds a constant to. E4M3's are then normal numbers above zero, E8M0's not NaN.
static ALWAYS_INLINE bool pack_plain_scales(
    nibble_format format, const uint8_t *scales, ptrdiff_t row_stride, uint8_t *line) {
    bytes16 quarters[4];
    for (size_t row = 0; row < NIBBLE_BLOCK_ROWS; row++) {
        memcpy((uint8_t *)quarters + 4 * row, scales + (ptrdiff_t)row * row_stride, 4);
    }
    bytes16 extremes[2] = {quarters[0], quarters[0]};
    for (int i = 1; i < 4; i++) {
        extremes[0] = __builtin_elementwise_min(extremes[0], quarters[i]);
        extremes[1] = __builtin_elementwise_max(extremes[1], quarters[i]);
    }
    uint8_t smallest = __builtin_reduce_min(extremes[0]), largest = __builtin_reduce_max(extremes[1]);
    if (format == NIBBLE_NVFP4 ? smallest < 8 || largest >= E4M3_NAN : largest == E8M0_NAN) return false;
    // Each round interleaves the halves of 64 bytes; after four, group comes before row.
    for (int round = 0; round < 4; round++) {
        bytes16 turned[4];
        for (int i = 0; i < 2; i++) {
            bytes16 a = quarters[i], b = quarters[i + 2];
            turned[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            turned[2 * i + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(quarters, turned, sizeof quarters);
    }
    for (int i = 0; i < 4; i++) quarters[i] += (uint8_t)(format == NIBBLE_NVFP4 ? 3 << 3 : 0);
    memcpy(line, quarters, sizeof quarters);
    return true;
}

// The codes of 16 rows under a line of plain scales: 32-bit words change places.
static ALWAYS_INLINE void pack_plain_codes(
    size_t words, const uint8_t *codes, ptrdiff_t row_stride, uint8_t *lines) {
    for (size_t row = 0; row < NIBBLE_BLOCK_ROWS; row += 4) {
        for (size_t word = 0; word < words; word += 4) {
            words4 square[4];
            for (size_t i = 0; i < 4; i++) memcpy(square + i, codes + (ptrdiff_t)(row + i) * row_stride + 4 * word, 16);
            transpose(square);
            for (size_t i = 0; i < 4; i++) memcpy(lines + (word + i) * LINE_BYTES + row * 4, square + i, 16);
        }
    }
}

// Four groups of columns of 16 rows that lie together; false, with the run in part written, where scales are not plain.
static ALWAYS_INLINE bool pack_plain_run(
    const nibble_matrix_source *source, nibble_format format, size_t first_row, size_t first_group, uint8_t *run) {
    const size_t columns = group_columns(format);
    const uint8_t *scales =
        source->scales + (ptrdiff_t)first_row * source->scale_row_stride + (ptrdiff_t)first_group;
    if (!pack_plain_scales(format, scales, source->scale_row_stride, run)) return false;
    const uint8_t *codes = source->elements + (ptrdiff_t)first_row * source->element_row_stride +
                           (ptrdiff_t)(first_group * columns / 2);
    pack_plain_codes(SCALED_GROUPS * columns / LINE_COLUMNS, codes, source->element_row_stride, run + LINE_BYTES);
    return true;
}

// The groups of columns that share a line of scales, of all rows: row by row where a row's codes lie together, otherwise
// group by group, as then the codes of neighbouring rows do.
static ALWAYS_INLINE bool pack_run(
    const nibble_matrix_source *source, nibble_format format, bool rows_lie_together, size_t first_row, size_t rows,
    size_t first_group, size_t groups, uint8_t *run) {
    size_t columns = group_columns(format);
    ptrdiff_t stride = rows_lie_together ? 1 : source->element_column_stride;
    size_t inner = rows_lie_together ? groups : rows;
    for (size_t step = 0; step < rows * groups; step++) {
        size_t row = rows_lie_together ? step / inner : step % inner;
        size_t group = rows_lie_together ? step % inner : step / inner;
        ptrdiff_t index = (ptrdiff_t)(first_row + row), column = (ptrdiff_t)((first_group + group) * columns / 2);
        const uint8_t *codes = source->elements + index * source->element_row_stride + column * stride;
        uint8_t scale = source->scales
                            [index * source->scale_row_stride +
                             (ptrdiff_t)(first_group + group) * source->scale_column_stride];
        uint8_t *lines = run + LINE_BYTES + group * columns * 8 + row * 4;
        if (!pack_group(format, codes, stride, scale, run + group * NIBBLE_BLOCK_ROWS + row, lines)) return false;
    }
    return true;
}

static ALWAYS_INLINE bool pack_codes(
    const nibble_matrix_source *source, nibble_format format, size_t first_row, size_t rows, uint8_t *block) {
    size_t columns = group_columns(format), groups = source->columns / columns;
    for (size_t first = 0; first < groups; first += SCALED_GROUPS) {
        uint8_t *run = block + bytes_before(format, first * columns);
        size_t count = groups - first;
        bool is_packed;
        if (source->element_column_stride != 1) {
            if (count > SCALED_GROUPS) count = SCALED_GROUPS;
            is_packed = pack_run(source, format, false, first_row, rows, first, count, run);
        } else if (count >= SCALED_GROUPS) {
            is_packed =
                (rows == NIBBLE_BLOCK_ROWS && source->scale_column_stride == 1 &&
                 pack_plain_run(source, format, first_row, first, run)) ||
                pack_run(source, format, true, first_row, rows, first, SCALED_GROUPS, run);
        } else {
            is_packed = pack_run(source, format, true, first_row, rows, first, count, run);
        }
        if (!is_packed) return false;
    }
    return true;
}

// Elements of `width` bytes: `lane` bytes of one row are neighbours, then come the next row's. Columns go in pieces whose
// lines stay in the first-level cache from one row to the next.
static ALWAYS_INLINE void pack_elements(
    const nibble_matrix_source *source, size_t first_row, size_t rows, size_t width, size_t lane, uint8_t *block) {
    enum { PIECE_COLUMNS = 64 };
    ptrdiff_t stride = source->element_column_stride;
    for (size_t first = 0; first < source->columns; first += PIECE_COLUMNS) {
        size_t end = first + PIECE_COLUMNS < source->columns ? first + PIECE_COLUMNS : source->columns;
        for (size_t row = 0; row < rows; row++) {
            const uint8_t *elements = source->elements + (ptrdiff_t)(first_row + row) * source->element_row_stride;
            uint8_t *target = block + row * lane;
            size_t column = first;
            if (stride == (ptrdiff_t)width) {
                for (; column + lane / width <= end; column += lane / width) {
                    memcpy(target + column * width * NIBBLE_BLOCK_ROWS, elements + column * width, lane);
                }
            }
            for (; column < end; column++) {
                size_t line = column * width / lane, place = column * width % lane;
                memcpy(target + line * lane * NIBBLE_BLOCK_ROWS + place, elements + (ptrdiff_t)column * stride, width);
            }
        }
    }
}

bool nibble_pack_block(const nibble_matrix_source *source, size_t first_row, uint8_t *block) {
    size_t rows = source->rows - first_row;
    if (rows > NIBBLE_BLOCK_ROWS) rows = NIBBLE_BLOCK_ROWS;
    // Padding: missing rows, the second column of a last odd one, unused scales.
    size_t whole = is_packed(source->format) ? SCALED_GROUPS * group_columns(source->format) : 2;
    if (rows < NIBBLE_BLOCK_ROWS || source->columns % whole != 0) {
        memset(block, 0, nibble_block_bytes(source->format, source->columns));
    }
    switch (source->format) {
    case NIBBLE_NVFP4: return pack_codes(source, NIBBLE_NVFP4, first_row, rows, block);
    case NIBBLE_MXFP4: return pack_codes(source, NIBBLE_MXFP4, first_row, rows, block);
    case NIBBLE_BFLOAT16: pack_elements(source, first_row, rows, 2, 4, block); return true;
    case NIBBLE_FLOAT16: pack_elements(source, first_row, rows, 2, 2, block); return true;
    case NIBBLE_FLOAT32: pack_elements(source, first_row, rows, 4, 4, block); return true;
    case NIBBLE_COMPACT_BFLOAT16: return false; // nibble_pack_compact_block
    }
}

// The value of an E2M1 code, twice.
static const int8_t twice_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static uint32_t load_bits(const uint8_t *bytes, size_t width) {
    uint32_t bits = 0;
    memcpy(&bits, bytes, width); // little-endian, as all supported processors are
    return bits;
}

static void read_codes(nibble_format format, const uint8_t *block, size_t columns, size_t row, float *output) {
    size_t per_group = group_columns(format);
    for (size_t column = 0; column < columns; column++) {
        size_t group = column / per_group;
        const uint8_t *run = block + bytes_before(format, group / SCALED_GROUPS * SCALED_GROUPS * per_group);
        uint32_t scale = run[group % SCALED_GROUPS * NIBBLE_BLOCK_ROWS + row];
        size_t line = (column / LINE_COLUMNS) % (SCALED_GROUPS * per_group / LINE_COLUMNS);
        uint32_t word = load_bits(run + LINE_BYTES + line * LINE_BYTES + row * 4, 4);
        uint32_t bits = format == NIBBLE_NVFP4 ? (scale << 20) + (SCALE_BIAS << 23) : scale << 23;
        output[column] = 0.5f * twice_e2m1[word >> column % LINE_COLUMNS * 4 & 15] * from_bits(bits);
    }
}

void nibble_read_row(nibble_format format, const uint8_t *block, size_t columns, size_t row, float *output) {
    switch (format) {
    case NIBBLE_NVFP4:
    case NIBBLE_MXFP4: read_codes(format, block, columns, row, output); break;
    case NIBBLE_BFLOAT16:
        for (size_t column = 0; column < columns; column++) {
            const uint8_t *pair = block + column / 2 * LINE_BYTES + row * 4;
            output[column] = from_bits(load_bits(pair + column % 2 * 2, 2) << 16);
        }
        break;
    case NIBBLE_FLOAT16:
        for (size_t column = 0; column < columns; column++) {
            output[column] = half_value((uint16_t)load_bits(block + column * 32 + row * 2, 2));
        }
        break;
    case NIBBLE_FLOAT32:
        for (size_t column = 0; column < columns; column++) {
            output[column] = from_bits(load_bits(block + column * 64 + row * 4, 4));
        }
        break;
    case NIBBLE_COMPACT_BFLOAT16: nibble_read_compact_row(block, columns, row, output); break;
    }
}
