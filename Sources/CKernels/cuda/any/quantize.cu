// Quantizes activations to NVFP4 or MXFP4, bit for bit as the CPU does (docs/numerics.md; RULE FAST: as FlashInfer does).
//
//   codes[t, k], scales[t, b] <- x[t, k]     x [T, COLUMNS] BF16 or FP16, codes [T, COLUMNS / 2], scales in LAYOUT
//
// Data flow   x: global -> registers (32 bytes a piece, PIECES_PER_THREAD of them) -> codes, scales: global. A thread has
//             all 16 elements of an NVFP4 block, or half of an MXFP4 block and its neighbour the other half.
//             SCALE ROW: a CTA has a row in its registers, so its maximum costs no second reading.
// Padding     CTAs of their own write the zeros of padded rows, a word of four scales a thread, all at once.
// Bytes       2.5625 (NVFP4) or 2.53125 (MXFP4) an element, and the padding; bound by bandwidth
// Launch      quantize: SCALE GIVEN ceil(pieces / (THREADS * PIECES_PER_THREAD)) CTAs, SCALE ROW one a row, and
//             ceil(padded words / THREADS) more; encode_scale: any grid, as many partial maxima
// Limits      COLUMNS a multiple of 16 (MXFP4: 32); T * COLUMNS / 16 below 2^32
#include "common/nvfp4.cuh"

enum { NVFP4 = 0, MXFP4 = 1 };                          // FORMAT
enum { BF16 = 0, FP16 = 1 };                            // INPUT
enum { LINEAR = 0, TILES_128X4 = 1, TILES_8X4 = 2 };    // LAYOUT
enum { EXACT = 0, FAST = 1 };                           // RULE
enum { GIVEN = 0, ROW = 1 };                            // SCALE: where NVFP4's encode scale comes from

constexpr u32 PIECE = 16;
constexpr u32 ROW_PIECES = COLUMNS / PIECE;
constexpr u32 PIECES_PER_SCALE = FORMAT == MXFP4 ? 2 : 1;
constexpr u32 ROW_SCALES = ROW_PIECES / PIECES_PER_SCALE;
constexpr u32 TILE_ROWS = LAYOUT == TILES_128X4 ? 128 : LAYOUT == TILES_8X4 ? 8 : 1;
constexpr u32 PADDED_SCALES = LAYOUT == LINEAR ? ROW_SCALES : (ROW_SCALES + 3) / 4 * 4;

DEVICE u64 scale_offset(u32 row, u32 column) {
    if (LAYOUT == LINEAR) return (u64)row * ROW_SCALES + column;
    const u64 tile = (u64)(row / TILE_ROWS) * (PADDED_SCALES / 4) + column / 4;
    if (LAYOUT == TILES_8X4) return tile * 32 + row % 8 * 4 + column % 4;
    return tile * 512 + row % 32 * 16 + row % 128 / 32 * 4 + column % 4;
}

// --- Maxima ---

/// The larger magnitude in each half of two pairs of magnitudes. A NaN is the larger one; RULE FAST ignores it.
DEVICE u32 larger_pair(u32 a, u32 b) {
    u32 larger;
    if (INPUT == BF16 && RULE == EXACT) asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    if (INPUT == BF16 && RULE == FAST) asm("max.bf16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    if (INPUT == FP16 && RULE == EXACT) asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    if (INPUT == FP16 && RULE == FAST) asm("max.f16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
}

/// The low half of a pair, in FP32.
DEVICE float low_value(u32 pair) {
    if (INPUT == BF16) return __uint_as_float(pair << 16);
    float value;
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}" : "=f"(value) : "r"(pair));
    return value;
}

DEVICE float high_value(u32 pair) {
    return INPUT == BF16 ? __uint_as_float(pair & 0xFFFF0000) : low_value(pair >> 16);
}

/// Sixteen elements, as they are in memory.
struct Piece {
    uint4 halves[2];

    DEVICE void load(const uint4* x, u32 index) {
        halves[0] = x[2 * (u64)index];
        halves[1] = x[2 * (u64)index + 1];
    }

    DEVICE void clear() { halves[0] = halves[1] = make_uint4(0, 0, 0, 0); }

    /// The largest magnitude, in both halves of a pair.
    DEVICE u32 maximum() const {
        const u32 pair = larger_pair(maximum(halves[0]), maximum(halves[1]));
        return larger_pair(pair, pair >> 16 | pair << 16);
    }

    static DEVICE u32 maximum(uint4 words) {
        return larger_pair(larger_pair(words.x & 0x7FFF7FFF, words.y & 0x7FFF7FFF),
                           larger_pair(words.z & 0x7FFF7FFF, words.w & 0x7FFF7FFF));
    }
};

// --- Rounding ---

/// What the elements of a block are multiplied by, and how.
struct Encoder {
    float factor;

    /// The code of -0 is 0; other values keep their sign in a code of zero. RULE FAST keeps the sign of -0 too, MXFP4 drops
    /// that of a product which underflows.
    DEVICE float encode(float element) const {
        if (FORMAT == MXFP4) return __fadd_rn(__fmul_rn(element, factor), 0.0f);
        return RULE == FAST ? __fmul_rn(element, factor) : __fmaf_rn(element, factor, 0.0f);
    }

    /// Eight elements' codes, the first in the lowest nibble.
    DEVICE u32 word(uint4 elements) const {
        const u32 pairs[4] = {elements.x, elements.y, elements.z, elements.w};
        u32 codes = 0, signs = 0;
#pragma unroll
        for (int i = 7; i >= 0; --i) {
            const float value = encode(i % 2 ? high_value(pairs[i / 2]) : low_value(pairs[i / 2]));
            codes = codes * 16 + biased_code(value);
            signs = __funnelshift_l(__float_as_uint(value), signs, 4);
        }
        return (codes - CODE_BIAS * 0x11111111u) | (signs & 0x88888888);
    }

    DEVICE uint2 words(const Piece& piece) const { return make_uint2(word(piece.halves[0]), word(piece.halves[1])); }
};

DEVICE float approximate_reciprocal(float value) {
    float reciprocal;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(value));
    return reciprocal;
}

/// The scale of a block with a maximum, and the encoder of its elements.
struct BlockRule {
    float encodeScale, inverse;

    DEVICE BlockRule(float encodeScale)
        : encodeScale(encodeScale),
          inverse(RULE == FAST ? approximate_reciprocal(encodeScale) : __frcp_rn(encodeScale)) {}

    DEVICE u32 scale(float maximum, Encoder& encoder) const {
        return FORMAT == MXFP4 ? scale_mxfp4(maximum, encoder)
               : RULE == FAST  ? scale_fast(maximum, encoder)
                               : scale_exact(maximum, encoder);
    }

    DEVICE u32 scale_exact(float maximum, Encoder& encoder) const {
        u32 code;
        encoder.factor = element_factor(block_scale(maximum, encodeScale, code), inverse);
        return code;
    }

    DEVICE u32 scale_fast(float maximum, Encoder& encoder) const {
        u32 code;
        const float rounded = round_e4m3(__fmul_rn(encodeScale, __fmul_rn(maximum, approximate_reciprocal(6.0f))), code);
        encoder.factor = maximum != 0.0f ? approximate_reciprocal(__fmul_rn(rounded, inverse)) : 0.0f;
        return code;
    }

    /// Rounds the maximum to one significand bit, halves upwards; the power of two at or below that, over 4.
    DEVICE static u32 scale_mxfp4(float maximum, Encoder& encoder) {
        if (maximum != maximum) {
            encoder.factor = maximum;
            return 255;
        }
        const u32 code = max((__float_as_uint(maximum) + 0x200000) >> 23, 2u) - 2;
        encoder.factor = __uint_as_float((254 - code) << 23);
        return code;
    }
};

// --- Kernels ---

/// Writes the zeros of a word of four scales below the last row.
DEVICE void pad_rows(u32 word, u32 rows, u8* scales) {
    const u32 row = rows + word / (PADDED_SCALES / 4), column = word % (PADDED_SCALES / 4) * 4;
    if (row < (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS)
        *reinterpret_cast<u32*>(scales + scale_offset(row, column)) = 0;
}

/// Writes the scale of a block, and after a row's last one the zeros of the padded columns.
DEVICE void store_scale(u32 row, u32 column, u32 code, u8* scales) {
    scales[scale_offset(row, column)] = (u8)code;
    if (column == ROW_SCALES - 1)
        for (u32 padded = ROW_SCALES; padded < PADDED_SCALES; ++padded) scales[scale_offset(row, padded)] = 0;
}

DEVICE void store_piece(const Piece& piece, u32 index, bool isValid, const BlockRule& rule, uint2* codes, u8* scales) {
    u32 pair = piece.maximum();
    if (FORMAT == MXFP4) pair = larger_pair(pair, __shfl_xor_sync(~0u, pair, 1));
    if (!isValid) return;
    Encoder encoder;
    const u32 code = rule.scale(low_value(pair), encoder);
    codes[index] = encoder.words(piece);
    if (index % PIECES_PER_SCALE == 0)
        store_scale(index / ROW_PIECES, index % ROW_PIECES / PIECES_PER_SCALE, code, scales);
}

/// encodeScales: NVFP4 with SCALE GIVEN reads one, [1]; with SCALE ROW writes those of the rows, [T]; MXFP4 ignores it.
extern "C" __global__ void __launch_bounds__(THREADS) quantize(
    const uint4* x, u32 rows, float* encodeScales, uint2* codes, u8* scales) {
    constexpr u32 TILE = THREADS * PIECES_PER_THREAD;
    const u32 pieces = rows * ROW_PIECES, dataBlocks = SCALE == ROW ? rows : (pieces + TILE - 1) / TILE;
    launch_next_kernel();
    wait_for_previous_kernel();
    if (blockIdx.x >= dataBlocks) {
        if (LAYOUT != LINEAR) pad_rows((blockIdx.x - dataBlocks) * THREADS + threadIdx.x, rows, scales);
        return;
    }
    const u32 begin = blockIdx.x * (SCALE == ROW ? ROW_PIECES : TILE);
    const u32 end = SCALE == ROW ? begin + ROW_PIECES : pieces;
    Piece loaded[PIECES_PER_THREAD];
#pragma unroll
    for (u32 i = 0; i < PIECES_PER_THREAD; ++i) {
        const u32 index = begin + i * THREADS + threadIdx.x;
        loaded[i].clear();
        if (index < end) loaded[i].load(x, index);
    }
    float encodeScale = 1.0f;
    if (SCALE == ROW) {
        u32 pair = 0;
#pragma unroll
        for (u32 i = 0; i < PIECES_PER_THREAD; ++i) pair = larger_pair(pair, loaded[i].maximum());
        encodeScale = encode_scale_of(largest_in_block(low_value(pair)));
        if (threadIdx.x == 0) encodeScales[blockIdx.x] = encodeScale;
    } else if (FORMAT == NVFP4) {
        encodeScale = *encodeScales;
    }
    const BlockRule rule(encodeScale);
#pragma unroll
    for (u32 i = 0; i < PIECES_PER_THREAD; ++i) {
        const u32 index = begin + i * THREADS + threadIdx.x;
        store_piece(loaded[i], index, index < end, rule, codes, scales);
    }
}

/// The encode scale of a whole tensor: the CTAs' maxima, and by the CTA that comes last the largest of them.
///
///   encodeScale[0] = 2688 / max |x|     partials [1 + CTAs], the first is a counter: zero before the first launch
extern "C" __global__ void __launch_bounds__(256) encode_scale(
    const uint4* x, u32 rows, u32* partials, float* encodeScale) {
    const u32 pieces = rows * ROW_PIECES;
    launch_next_kernel();
    wait_for_previous_kernel();
    u32 pair = 0;
    for (u32 first = blockIdx.x * 1024; first < pieces; first += gridDim.x * 1024) {
        Piece loaded[4];
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            const u32 index = first + i * 256 + threadIdx.x;
            loaded[i].clear();
            if (index < pieces) loaded[i].load(x, index);
        }
#pragma unroll
        for (u32 i = 0; i < 4; ++i) pair = larger_pair(pair, loaded[i].maximum());
    }
    const float maximum = largest_in_block(low_value(pair));
    bool isLast = false;
    if (threadIdx.x == 0) {
        partials[1 + blockIdx.x] = __float_as_uint(maximum);
        isLast = take_number(partials, gridDim.x) == gridDim.x - 1;
    }
    if (!__syncthreads_or(isLast)) return;
    u32 largest = 0;
    for (u32 i = threadIdx.x; i < gridDim.x; i += 256) largest = max(largest, load_acquire(partials + 1 + i));
    const float found = largest_in_block(__uint_as_float(largest));
    if (threadIdx.x == 0) *encodeScale = encode_scale_of(found);
}
