#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// How a packed matrix stores its elements; docs/kernels.md draws the layouts.
typedef enum : int32_t {
    /// E2M1 codes with a scale for 16 columns.
    NIBBLE_NVFP4,
    /// E2M1 codes with a power of two for 32 columns.
    NIBBLE_MXFP4,
    NIBBLE_BFLOAT16,
    NIBBLE_FLOAT16,
    NIBBLE_FLOAT32,
    /// BF16 in 12 bits, with what does not fit beside it.
    NIBBLE_COMPACT_BFLOAT16,
} nibble_format;

enum {
    /// Rows of a matrix that are interleaved into one block; missing ones are zero.
    NIBBLE_BLOCK_ROWS = 16,
    /// Columns of a panel, at most: 16 KiB, half of the smallest first-level cache.
    NIBBLE_PANEL_DEPTH = 256,
};

/// Activations as integers of 8-bit digits: sixteen of them in a block with their scale.
enum {
    /// An integer of 8 bits.
    NIBBLE_INT8_DIGITS = 1,
    /// The least bytes from a block of one digit to the next.
    NIBBLE_INT8_BLOCK_BYTES = 28,
    /// An integer of 23 bits, closer to the activation than what float32 sums lose.
    NIBBLE_EXACT_DIGITS = 3,
    /// The bytes from a block of three digits to the next.
    NIBBLE_EXACT_BLOCK_BYTES = 64,
};

/// The bytes of a block of 16 rows; `columns` is a multiple of the format's columns per scale, and below 2^40.
size_t nibble_block_bytes(nibble_format format, size_t columns);

/// A matrix as it lies in a checkpoint: entry (row, column) at `base + row * row_stride + column * column_stride`.
typedef struct {
    nibble_format format;
    size_t rows;
    size_t columns;
    /// Elements, or for packed formats bytes of two codes, the even column in the low nibble.
    const uint8_t *elements;
    ptrdiff_t element_row_stride;
    ptrdiff_t element_column_stride;
    /// E4M3 (NVFP4) or E8M0 (MXFP4) block scales; unused by the other formats.
    const uint8_t *_Nullable scales;
    ptrdiff_t scale_row_stride;
    ptrdiff_t scale_column_stride;
} nibble_matrix_source;

/// Packs rows `first_row ..< first_row + 16`, as far as they exist, into a block aligned to 64 bytes; for all formats but
/// compact BF16.
///
/// Returns false, with the block in part written, if a block scale is NaN.
bool nibble_pack_block(const nibble_matrix_source *source, size_t first_row, uint8_t *block);

/// Whether a BF16 matrix is likely to take less memory as compact BF16; looks at some of its numbers.
bool nibble_is_compact(const nibble_matrix_source *source);

/// What a block of compact BF16 refers to, for the owner of the block to `free`.
typedef struct {
    void *_Nullable bytes;
    size_t byte_count;
} nibble_aside;

/// Packs rows `first_row ..< first_row + 16` of a BF16 matrix into a block of compact BF16 aligned to 64 bytes.
///
/// Returns false if there is no memory for what does not fit in the block.
bool nibble_pack_compact_block(
    const nibble_matrix_source *source, size_t first_row, uint8_t *block, nibble_aside *aside);

/// Writes one of a block's rows, without the matrix's global scale.
void nibble_read_row(nibble_format format, const uint8_t *block, size_t columns, size_t row, float *output);

/// What lies between the two products of a gated feed-forward layer.
typedef struct {
    /// What multiplies the sums: the global scales of the gate and up projections, or 1 where the sums contain them.
    float gate_scale, up_scale;
    /// Biases of the matrices' rows, padded to whole blocks.
    const float *_Nullable gate_bias;
    const float *_Nullable up_bias;
    /// Whether it is `(clamp(u) + 1) * min(g, limit) * sigmoid(alpha * g)`, otherwise `u * g * sigmoid(g)`.
    bool clamped;
    float alpha, limit;
} nibble_gate;

/// Products of blocks of 16 matrix rows with rows of activations, compiled for one instruction set.
///
/// All of them write or add to `sums`, `[activation rows, 16]`, without the global scale unless it is given.
/// Columns are as in ``nibble_block_bytes``; activations need no alignment, `sums`, panels and tiles are aligned to 64 bytes.
typedef struct {
    /// Rows from which decoding a panel for all of them beats decoding blocks for a few rows at a time.
    size_t panel_threshold;

    /// The most rows whose products with packed formats are cheaper as three digits than as float32; 0 for none.
    size_t split_row_limit;

    /// Writes activations as integers of one or three digits, a block of 16 columns every `stride` bytes; in place if
    /// the pointers are equal and `stride` is 64.
    void (*split_row)(int digits, const float *row, size_t columns, uint8_t *blocks, size_t stride);

    /// `sums = blocks · rows` for the packed formats and rows as ``split_row`` writes them, rounded once per 16 columns:
    /// any number of rows of one digit, or up to `split_row_limit` of three.
    ///
    /// A block is `stride` bytes after the one before, and sums are `[blocks, activation rows, 16]`. With one digit a row's
    /// sums do not depend on the number of rows.
    void (*multiply_split_rows)(
        int digits, nibble_format format, const uint8_t *blocks, size_t stride, size_t block_count, size_t columns,
        const uint8_t *const _Nonnull *_Nonnull rows, size_t row_stride, size_t row_count, float *sums);

    /// `sums = block · rows`, decoding the block once for every few rows.
    void (*multiply_rows)(
        nibble_format format, const uint8_t *block, size_t columns, const float *const _Nonnull *_Nonnull rows,
        size_t row_count, float *sums);

    /// Decodes columns `first ..< first + count` of a block to float32, `[count, 16]`; `first` is a multiple of four
    /// groups of columns with a scale, 64 or 128. Packed formats become `value * (scale * global_scale)`.
    void (*decode_panel)(
        nibble_format format, const uint8_t *block, size_t first, size_t count, float global_scale, float *panel);

    /// Copies columns `first ..< first + depth` of rows to tiles of a few rows, `[depth, rows of the tile]` each.
    void (*pack_tiles)(
        const float *const _Nonnull *_Nonnull rows, size_t row_count, size_t first, size_t depth, float *tiles);

    /// `sums += panel · tiles` for the tiles of `row_count` rows.
    void (*multiply_panel)(const float *panel, size_t depth, const float *tiles, size_t row_count, float *sums);

    /// `output = factor * (scale * sums + bias)`, or `+=`, for `count` columns from `column` of each output row; sums are
    /// `[blocks, activation rows, 16]`.
    void (*store)(
        const float *sums, size_t row_count, float scale, const float *_Nullable bias, const float *_Nullable factors,
        bool accumulating, float *const _Nonnull *_Nonnull outputs, size_t column, size_t count);

    /// Writes the gated activation of two products for `count` columns from `column` of each output row; sums are
    /// `[blocks, activation rows, 16]`.
    void (*store_gated)(
        const float *gate_sums, const float *up_sums, size_t row_count, const nibble_gate *gate,
        float *const _Nonnull *_Nonnull outputs, size_t column, size_t count);
} nibble_matrix_kernels;

/// What every processor of this architecture can run; the oracle of the others.
const nibble_matrix_kernels *nibble_matrix_kernels_plain(void);

#if defined(__x86_64__)
/// Needs AVX2, FMA and F16C.
const nibble_matrix_kernels *nibble_matrix_kernels_avx2(void);

/// Needs AVX-512 F, BW, VL and DQ, and `multiply_split_rows` VNNI besides.
const nibble_matrix_kernels *nibble_matrix_kernels_avx512(void);
#elif defined(__aarch64__)
/// Needs NEON.
const nibble_matrix_kernels *nibble_matrix_kernels_neon(void);
#endif

#pragma clang assume_nonnull end
