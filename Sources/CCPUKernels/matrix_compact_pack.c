// Packing of BF16 matrices in 12 bits a number, and reading rows of them back.
#include <stdlib.h>

#include "matrix_compact.h"

#pragma clang diagnostic ignored "-Wpsabi" // vectors are only passed to functions that are inlined
#define INLINE static inline __attribute__((always_inline))

typedef uint16_t numbers8 __attribute__((ext_vector_type(8)));
typedef uint8_t bytes16 __attribute__((ext_vector_type(16)));

enum {
    HIGH_BYTES = 128,     // without their sign
    TABLE_ENTRIES = 8,    // the first is for zero
    SAMPLED_COLUMNS = 31, // of each row of a block; odd, lest a period of the columns hide some of them
    SAMPLED_ROWS = 16,    // of a matrix
};

INLINE uint16_t element(const nibble_matrix_source *source, size_t row, size_t column) {
    uint16_t bits;
    memcpy(
        &bits,
        source->elements + (ptrdiff_t)row * source->element_row_stride +
            (ptrdiff_t)column * source->element_column_stride,
        2);
    return bits;
}

static uint8_t high_byte(uint16_t bits) { return bits >> 8 & 0x7f; }

// The first of the seven successive high bytes, not with 0, that most numbers have in some columns of rows that are
// `step` apart. Of several such it is the lowest: numbers thin out slowly towards zero and fast away from it.
static uint8_t choose_window(const nibble_matrix_source *source, size_t first_row, size_t rows, size_t step) {
    uint32_t counts[HIGH_BYTES] = {0};
    size_t samples = source->columns < SAMPLED_COLUMNS ? source->columns : SAMPLED_COLUMNS;
    for (size_t row = 0; row < rows; row++) {
        for (size_t sample = 0; sample < samples; sample++) {
            // Other columns in each row.
            size_t column = (sample * source->columns / samples + row) % source->columns;
            counts[high_byte(element(source, first_row + row * step, column))]++;
        }
    }
    const int width = TABLE_ENTRIES - 1;
    uint32_t count = 0, most = 0;
    int best = 1;
    for (int end = 1; end < HIGH_BYTES; end++) {
        count += counts[end];
        if (end > width) count -= counts[end - width];
        if (end >= width && count > most) {
            most = count;
            best = end - width + 1;
        }
    }
    return (uint8_t)best;
}

static bool is_in_window(uint8_t window, uint8_t high) {
    return high == 0 || (high >= window && high < window + TABLE_ENTRIES - 1);
}

// Of a block: so many that adding them to a product takes about as long as reading what they save.
static size_t exception_limit(size_t columns) { return columns / 8; }

bool nibble_is_compact(const nibble_matrix_source *source) {
    if (nibble_block_bytes(NIBBLE_COMPACT_BFLOAT16, source->columns) >=
        nibble_block_bytes(NIBBLE_BFLOAT16, source->columns)) return false;
    size_t rows = source->rows < SAMPLED_ROWS ? source->rows : SAMPLED_ROWS, step = source->rows / rows;
    const uint8_t window = choose_window(source, 0, rows, step);
    // A run of neighbouring columns of each row, which lie in a page or two.
    size_t run = source->columns < 256 ? source->columns : 256, exceptions = 0;
    for (size_t row = 0; row < rows; row++) {
        size_t first = (source->columns - run) * row / rows;
        for (size_t column = first; column < first + run; column++) {
            exceptions += !is_in_window(window, high_byte(element(source, row * step, column)));
        }
    }
    // A quarter of what a block may have, so that few blocks have more.
    return exceptions * 512 <= run * rows;
}

// A tile of 16 rows and 8 columns: low and high bytes in the places of the lines of columns 0-3 and 4-7.
typedef struct {
    uint8_t low[2][LINE_BYTES], high[2][LINE_BYTES];
} compact_tile;

// Four rows of bytes, in pairs of columns, to the places of two lines.
INLINE void store_pairs(const bytes16 rows[2], uint8_t *columns_0_to_3, uint8_t *columns_4_to_7) {
    numbers8 first = (numbers8)rows[0], second = (numbers8)rows[1];
    numbers8 lines[2] = {
        __builtin_shufflevector(first, second, 0, 4, 8, 12, 1, 5, 9, 13),
        __builtin_shufflevector(first, second, 2, 6, 10, 14, 3, 7, 11, 15)};
    memcpy(columns_0_to_3, &lines[0], sizeof lines[0]);
    memcpy(columns_4_to_7, &lines[1], sizeof lines[1]);
}

INLINE bytes16 low_bytes(numbers8 a, numbers8 b) {
    return __builtin_shufflevector(
        (bytes16)a, (bytes16)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

static void load_tile(
    const nibble_matrix_source *source, size_t first_row, size_t rows, size_t first, size_t columns,
    compact_tile *tile) {
    numbers8 numbers[NIBBLE_BLOCK_ROWS] = {0};
    for (size_t row = 0; row < rows; row++) {
        if (source->element_column_stride == 2 && columns == COMPACT_COLUMNS) {
            memcpy(
                &numbers[row],
                source->elements + (ptrdiff_t)(first_row + row) * source->element_row_stride + (ptrdiff_t)first * 2,
                sizeof numbers[row]);
        } else {
            for (size_t i = 0; i < columns; i++) numbers[row][i] = element(source, first_row + row, first + i);
        }
    }
    for (size_t row = 0; row < NIBBLE_BLOCK_ROWS; row += 4) {
        bytes16 low[2], high[2];
        for (size_t i = 0; i < 2; i++) {
            numbers8 a = numbers[row + 2 * i], b = numbers[row + 2 * i + 1];
            low[i] = low_bytes(a & (uint16_t)0xff, b & (uint16_t)0xff);
            high[i] = low_bytes(a >> 8, b >> 8);
        }
        store_pairs(low, tile->low[0] + 4 * row, tile->low[1] + 4 * row);
        store_pairs(high, tile->high[0] + 4 * row, tile->high[1] + 4 * row);
    }
}

// The codes of high bytes; what is returned has bits where there is none.
INLINE bytes16 encode(bytes16 high, uint8_t window, bytes16 *codes) {
    const bytes16 magnitude = high & (uint8_t)0x7f;
    bytes16 code = (magnitude - window) + (uint8_t)1;
    const bytes16 is_code = (bytes16)(code - (uint8_t)1 < (bytes16)(uint8_t)(TABLE_ENTRIES - 1));
    *codes = (code | (high >> 4 & (uint8_t)8)) & is_code;
    const bytes16 is_zero = (bytes16)(magnitude == (bytes16)(uint8_t)0);
    *codes |= high >> 4 & (uint8_t)8 & is_zero;
    return ~(is_code | is_zero);
}

// Writes the line of codes of a tile; true if some of its numbers have none, where `is_missing` has bits.
static bool encode_tile(
    const compact_tile *tile, uint8_t window, uint8_t line[LINE_BYTES], uint8_t is_missing[2][LINE_BYTES]) {
    bytes16 all = (bytes16)(uint8_t)0;
    for (size_t place = 0; place < LINE_BYTES; place += sizeof(bytes16)) {
        bytes16 codes[2];
        for (size_t half = 0; half < 2; half++) {
            bytes16 high;
            memcpy(&high, tile->high[half] + place, sizeof high);
            bytes16 missing = encode(high, window, &codes[half]);
            memcpy(is_missing[half] + place, &missing, sizeof missing);
            all |= missing;
        }
        codes[0] |= codes[1] << 4;
        memcpy(line + place, &codes[0], sizeof codes[0]);
    }
    uint64_t words[2];
    memcpy(words, &all, sizeof words);
    return (words[0] | words[1]) != 0;
}

// Exceptions, as far as there is room for them.
typedef struct {
    compact_exception *exceptions;
    size_t count, limit;
} exception_list;

// Moves numbers without a code to the list; false if they are too many.
static bool list_exceptions(
    compact_tile *tile, uint8_t is_missing[2][LINE_BYTES], size_t first, exception_list *list) {
    for (size_t column = 0; column < COMPACT_COLUMNS; column++) {
        size_t half = column / 4;
        for (uint16_t row = 0; row < NIBBLE_BLOCK_ROWS; row++) {
            size_t place = compact_place(row, column);
            if (!is_missing[half][place]) continue;
            if (list->count == list->limit) return false;
            uint16_t bits = (uint16_t)(tile->high[half][place] << 8 | tile->low[half][place]);
            list->exceptions[list->count++] =
                (compact_exception){.column = (uint32_t)(first + column), .row = row, .bits = bits};
            tile->low[half][place] = 0;
        }
    }
    return true;
}

// Writes a block's lines; false if there are more exceptions than the list has room for.
static bool pack_units(
    const nibble_matrix_source *source, size_t first_row, size_t rows, uint8_t window, uint8_t *unit,
    exception_list *list) {
    for (size_t first = 0; first < source->columns; first += COMPACT_COLUMNS, unit += COMPACT_UNIT_BYTES) {
        size_t rest = source->columns - first;
        compact_tile tile;
        load_tile(source, first_row, rows, first, rest < COMPACT_COLUMNS ? rest : COMPACT_COLUMNS, &tile);
        uint8_t is_missing[2][LINE_BYTES];
        if (encode_tile(&tile, window, unit, is_missing) && !list_exceptions(&tile, is_missing, first, list))
            return false;
        memcpy(unit + LINE_BYTES, tile.low, sizeof tile.low);
    }
    return true;
}

// The block as plain BF16; null if there is no memory.
static void *pack_plain(const nibble_matrix_source *source, size_t first_row, size_t byte_count) {
    nibble_matrix_source plain = *source;
    plain.format = NIBBLE_BFLOAT16;
    void *block = aligned_alloc(LINE_BYTES, byte_count);
    if (block) nibble_pack_block(&plain, first_row, block);
    return block;
}

bool nibble_pack_compact_block(
    const nibble_matrix_source *source, size_t first_row, uint8_t *block, nibble_aside *aside) {
    size_t rows = source->rows - first_row;
    if (rows > NIBBLE_BLOCK_ROWS) rows = NIBBLE_BLOCK_ROWS;
    const uint8_t window = choose_window(source, first_row, rows, 1);
    compact_header header = {.table = {[TABLE_ENTRIES] = 0x80}};
    for (uint8_t code = 1; code < TABLE_ENTRIES; code++) {
        header.table[code] = window + code - 1;
        header.table[TABLE_ENTRIES + code] = header.table[code] | 0x80;
    }
    *aside = (nibble_aside){0};
    exception_list list = {.limit = exception_limit(source->columns)};
    list.exceptions = malloc(list.limit * sizeof *list.exceptions);
    if (!list.exceptions) return false;
    if (pack_units(source, first_row, rows, window, block + LINE_BYTES, &list)) {
        header.exception_count = (uint32_t)list.count;
        aside->byte_count = list.count * sizeof *list.exceptions;
        if (list.count > 0) aside->bytes = realloc(list.exceptions, aside->byte_count);
    } else {
        header.is_plain = true;
        aside->byte_count = nibble_block_bytes(NIBBLE_BFLOAT16, source->columns);
        aside->bytes = pack_plain(source, first_row, aside->byte_count);
    }
    if (!header.exception_count || !aside->bytes) free(list.exceptions);
    header.aside = aside->bytes;
    memcpy(block, &header, sizeof header);
    return aside->bytes || aside->byte_count == 0;
}

void nibble_read_compact_row(const uint8_t *block, size_t columns, size_t row, float *output) {
    const compact_header *header = (const compact_header *)block;
    if (header->is_plain) {
        nibble_read_row(NIBBLE_BFLOAT16, header->aside, columns, row, output);
        return;
    }
    for (size_t column = 0; column < columns; column++) {
        const uint8_t *unit = block + LINE_BYTES + column / COMPACT_COLUMNS * COMPACT_UNIT_BYTES;
        size_t half = column / 4 % 2, place = compact_place(row, column);
        uint32_t high = header->table[unit[place] >> 4 * half & 15];
        uint32_t bits = high << 24 | (uint32_t)unit[LINE_BYTES * (1 + half) + place] << 16;
        memcpy(output + column, &bits, 4);
    }
    const compact_exception *exceptions = header->aside;
    for (uint32_t i = 0; i < header->exception_count; i++) {
        if (exceptions[i].row != row) continue;
        uint32_t bits = (uint32_t)exceptions[i].bits << 16;
        memcpy(output + exceptions[i].column, &bits, 4);
    }
}
