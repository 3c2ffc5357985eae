// Repacks one tensor of weights from a checkpoint's layout into slabs (common/tiles.cuh).
//
// Data flow   global → registers → global, out of place, one CTA a slab; every element is read and written once
// Bytes       0.5625 (NVFP4), 0.53125 (MXFP4), 1 (FP8) or 2 (BF16) read and as many written a weight; bound by bandwidth, and by
//             byte-wise loads where the source is transposed
// Layouts     strides describe all of them: row-major [N, K/2], ModelOpt's transposed experts [K/2, N], gate and up as
//             separate tensors, halves of one, or rows in turns (gpt-oss)
#include "common/tiles.cuh"

/// A matrix, or a pair of matrices (gate, up) of which eight rows of the first and eight of the second make a tile.
/// Strides are in bytes; a "column step" is two FP4 elements (one byte, even column low) or one FP8 or BF16 element.
struct RepackSource {
    const u8* elements[2];
    const u8* scales[2];  ///< E4M3 or E8M0; unused for FP8 and BF16
    long long rowStride, columnStride;
    long long scaleRowStride, scaleColumnStride;
    u32 rows, columns;  ///< of each matrix
};

template <int kFormat, bool kPaired>
struct Repack {
    const RepackSource& source;

    /// The matrix and row that row `row` of the slabs comes from.
    DEVICE void locate(u32 row, int& matrix, u32& sourceRow) const {
        matrix = kPaired ? row % TILE_ROWS / 8 : 0;
        sourceRow = kPaired ? row / TILE_ROWS * 8 + row % 8 : row;
    }

    DEVICE u32 scale(u32 row, u32 column) const {
        int matrix;
        u32 sourceRow;
        locate(row, matrix, sourceRow);
        if (sourceRow >= source.rows || column >= source.columns) return 0;
        return source.scales[matrix][sourceRow * source.scaleRowStride +
                                     column / (kFormat == NVFP4 ? 16 : 32) * source.scaleColumnStride];
    }

    DEVICE u32 element(u32 row, u32 column) const {
        int matrix;
        u32 sourceRow;
        locate(row, matrix, sourceRow);
        if (sourceRow >= source.rows || column >= source.columns) return 0;
        const u8* start = source.elements[matrix] + sourceRow * source.rowStride;
        if (kFormat == BF16) return *reinterpret_cast<const u16*>(start + column * source.columnStride);
        if (kFormat == FP8) return start[column * source.columnStride];
        const u32 nibble = start[column / 2 * source.columnStride] >> (column % 2 * 4) & 15;
        if (kFormat == MXFP4) return nibble;
        const u32 code = scale(row, column);
        return (code & 0x7F) == 0 ? 0 : nibble ^ (code >> 4 & 8);  // the scale's sign moves to the elements
    }

    /// The first row (of g and g + 8) and first column of a lane's share of a step, within the slab.
    static DEVICE u32 row_of(u32 tile, u32 lane) { return tile * TILE_ROWS + lane / 4; }
    static DEVICE u32 column_of(u32 step, u32 lane) { return lane % 4 * 16 + step * 4; }

    DEVICE void slab(char* out, u32 firstRow, u32 firstColumn, u32* refused) const {
        for (u32 i = threadIdx.x; i < 512; i += blockDim.x) {
            const u32 tile = i / 128, lane = i / 4 % 32, step = i % 4;
            const u32 row = firstRow + row_of(tile, lane), column = firstColumn + column_of(step, lane);
            u32 values[4][2];
            for (int part = 0; part < 4; ++part)
                for (int odd = 0; odd < 2; ++odd)
                    values[part][odd] = element(row + part % 2 * 8, column + part / 2 * 2 + odd);
            u32* words = reinterpret_cast<u32*>(out + tile * tile_bytes(kFormat));
            if (kFormat == BF16)
                for (int part = 0; part < 4; ++part)
                    words[(step * 32 + lane) * 4 + part] = values[part][0] | values[part][1] << 16;
            else if (kFormat == FP8)
                for (int pair = 0; pair < 2; ++pair) {
                    const u32(&low)[2] = values[2 * pair], (&high)[2] = values[2 * pair + 1];
                    words[(step / 2 * 32 + lane) * 4 + step % 2 * 2 + pair] =
                        low[0] | low[1] << 8 | high[0] << 16 | high[1] << 24;
                    for (int odd = 0; odd < 2; ++odd)
                        if ((low[odd] & 0x7F) == 0x7F || (high[odd] & 0x7F) == 0x7F) atomicOr(refused, 1u);
                }
            else
                words[lane * 4 + step] = spread_fp4(values);
        }
        if (kFormat == BF16 || kFormat == FP8) return;
        const u32 blocks = kFormat == NVFP4 ? 4 : 2;
        for (u32 i = threadIdx.x; i < SLAB_ROWS * blocks; i += blockDim.x) {
            const u32 row = i / blocks, block = i % blocks;
            const u32 code = scale(firstRow + row, firstColumn + block * (SLAB_COLUMNS / blocks));
            if (kFormat == NVFP4 ? (code & 0x7F) == 0x7F : !fits_tile(code)) atomicOr(refused, 1u);
            const int offset = scale_offset(kFormat, row % TILE_ROWS, block);
            out[row / TILE_ROWS * tile_bytes(kFormat) + offset] =
                (char)(kFormat == NVFP4 ? tile_scale_from_e4m3(code) : tile_scale_from_e8m0(code));
        }
    }
};

/// Grid: (slabs along the columns, blocks of 64 rows). Sets *refused if an NVFP4 scale is NaN, an MXFP4
/// scale is above 2^8 or NaN, or an FP8 element is NaN.
template <int kFormat, bool kPaired>
DEVICE void repack_weights(const RepackSource& source, char* out, u32* refused) {
    const u64 index = (u64)blockIdx.y * gridDim.x + blockIdx.x;
    Repack<kFormat, kPaired>{source}.slab(out + index * slab_bytes(kFormat), blockIdx.y * SLAB_ROWS,
                                          blockIdx.x * SLAB_COLUMNS, refused);
}
