// The layout of weights that all kernels for NVIDIA GPUs read, and the arithmetic that turns it into BF16 fragments.
//
// A matrix [rows, columns] (columns are contracted) is padded to multiples of 64 and cut into slabs of 64 rows x 64
// columns. Slabs of the same 64 rows are contiguous, so a block of rows is one stream of bytes. A slab is four tiles of
// 16 rows, one for each warp of four (or of a wgmma warpgroup); a tile is
//
//   FP4    4 words a lane (one a k-step), 512 bytes, then the block scales, 64 bytes (NVFP4) or 32 (MXFP4)
//   FP8    2 x 4 words a lane (two k-steps, then lane), 1024 bytes
//   BF16   4 x 4 words a lane (k-step, then lane), 2048 bytes
//
// Lane 4g + t holds, of k-step j, rows g and g + 8 at columns 16t + 4j + {0, 1, 2, 3}: the fragment a0 (g; 0, 1),
// a1 (g + 8; 0, 1), a2 (g; 2, 3), a3 (g + 8; 2, 3) of mma.m16n8k16. The columns of a k-step are thus spread over the slab:
// a lane's share of an activation row is 32 contiguous bytes, and all its weights of a row are in one block.
//
// An FP4 word holds in each half (low: even column, high: odd) the nibbles of a0...a3, spread so that three of them are
// moved into place by one shift or rotation and a mask, the fourth by two: bits of s|eem are
//   a0: 15, 8-6    a1: 11, 4-2    a2: 5 of the other half, 14-12    a3: 1 of the other half, 10-9 (ee), 0 (m)
// Placed at 15, 8-6 of a BF16 the value is e2m1 * 2^-126. A block scale's byte becomes a BF16 that is scale * 2^119, so
// the product is e2m1 * scale * 2^-7, exactly; the missing factor 2^7 (`accumulator_factor`) is left to the epilogue.
#pragma once
#include "common/ptx.cuh"

enum WeightFormat { NVFP4 = 0, MXFP4 = 1, BF16 = 2, FP8 = 3 };

constexpr int SLAB_ROWS = 64;
constexpr int SLAB_COLUMNS = 64;
constexpr int TILE_ROWS = 16;

__host__ __device__ constexpr int tile_bytes(int format) {
    return format == NVFP4 ? 576 : format == MXFP4 ? 544 : format == FP8 ? 1024 : 2048;
}
__host__ __device__ constexpr int slab_bytes(int format) { return 4 * tile_bytes(format); }
/// What an accumulator of products with such weights is multiplied by.
__host__ __device__ constexpr float accumulator_factor(int format) {
    return format == BF16 || format == FP8 ? 1.0f : 128.0f;
}

/// Where the scale of a row's block lies in a tile. Those of rows g and g + 8 are neighbours.
__host__ __device__ constexpr int scale_offset(int format, int row, int block) {
    return 512 + (row % 8 * (format == NVFP4 ? 4 : 2) + block) * 2 + row / 8;
}

/// E4M3, without sign, to the byte whose bits are the five-bit exponent and mantissa of the same value: subnormals are
/// normalised, NaN is 255. The caller clears the elements of a block of scale 0.
DEVICE u32 tile_scale_from_e4m3(u32 code) {
    code &= 0x7F;
    if (code == 0x7F) return 255;
    u32 exponent = code >> 3, mantissa = code & 7;
    if (exponent > 0) return (exponent + 15) << 3 | mantissa;
    if (mantissa == 0) return 0;
    u32 shift = mantissa >= 4 ? 1 : mantissa >= 2 ? 2 : 3;
    return (16 - shift) << 3 | ((mantissa << shift) & 7);
}

/// E8M0 to the exponent bits of a BF16 that is 2^119 times as large. Scales above 2^8 and NaN do not fit (`fits_tile`).
DEVICE u32 tile_scale_from_e8m0(u32 code) { return code > 135 ? 254 : code + 119; }
DEVICE bool fits_tile(u32 e8m0) { return e8m0 <= 135; }

/// The eight nibbles of a word, fragment register by fragment register, columns even and odd: `nibble[register][odd]`.
DEVICE u32 spread_fp4(const u32 (&nibble)[4][2]) {
    u32 pairs[4] = {};
    for (int i = 0; i < 4; ++i)
        for (int odd = 0; odd < 2; ++odd)
            pairs[i] |= ((nibble[i][odd] & 8) << 12 | (nibble[i][odd] & 7) << 6) << (16 * odd);
    const u32 last = pairs[3] & 0x81808180;
    return pairs[0] | pairs[1] >> 4 | __funnelshift_l(pairs[2], pairs[2], 6) | __funnelshift_l(last, last, 2) |
           (pairs[3] & 0x00400040) >> 6;
}

/// The inverse: four BF16 pairs, each element times 2^-126.
DEVICE void gather_fp4(u32 word, u32 (&pairs)[4]) {
    const u32 element = 0x81C081C0;
    pairs[0] = word & element;
    pairs[1] = (word << 4) & element;
    pairs[2] = __funnelshift_r(word, word, 6) & element;
    pairs[3] = (__funnelshift_r(word, word, 2) & 0x81808180) | ((word << 6) & 0x00400040);
}

/// The scales of rows g (low byte) and g + 8 as BF16, in the low and the high half.
template <int format>
DEVICE u32 expand_scales(u32 bytes) {
    const u32 apart = __byte_perm(bytes, 0, 0x4140);
    return format == NVFP4 ? apart * 16 + 0x70007000 : apart << 7;
}

/// One lane's share of one tile. `load` reads shared memory, `prepare` computes what the fragments have in common.
template <int format>
struct TileFragments {
    uint4 words;
    u32 scales;

    DEVICE void load(const char* tile, int lane) {
        words = reinterpret_cast<const uint4*>(tile)[lane];
        scales = reinterpret_cast<const u16*>(tile + 512)[format == NVFP4 ? lane : lane / 2];
    }

    DEVICE void prepare() { scales = expand_scales<format>(scales); }

    /// The A operand of a k-step.
    template <int step>
    DEVICE void fragment(u32 (&a)[4]) const {
        gather_fp4(step == 0 ? words.x : step == 1 ? words.y : step == 2 ? words.z : words.w, a);
        a[0] = multiply_bf16x2<0>(a[0], scales);
        a[1] = multiply_bf16x2<1>(a[1], scales);
        a[2] = multiply_bf16x2<0>(a[2], scales);
        a[3] = multiply_bf16x2<1>(a[3], scales);
    }
};

template <>
struct TileFragments<BF16> {
    uint4 words[4];

    DEVICE void load(const char* tile, int lane) {
#pragma unroll
        for (int step = 0; step < 4; ++step) words[step] = reinterpret_cast<const uint4*>(tile)[step * 32 + lane];
    }

    DEVICE void prepare() {}

    template <int step>
    DEVICE void fragment(u32 (&a)[4]) const {
        a[0] = words[step].x, a[1] = words[step].y, a[2] = words[step].z, a[3] = words[step].w;
    }
};

/// Two E4M3 bytes (the low ones of `bytes`, or the high ones) as BF16: their bits in the places of a BF16's are the value
/// times 2^-120, subnormals too. NaN would be 480.
template <int half>
DEVICE u32 expand_e4m3(u32 bytes) {
    const u32 apart = __byte_perm(bytes, 0, half == 0 ? 0x1404 : 0x3424);
    return multiply_bf16x2<0>((apart & 0x80008000) | ((apart >> 4) & 0x07F007F0), 0x7B807B80);
}

template <>
struct TileFragments<FP8> {
    uint4 words[2];

    DEVICE void load(const char* tile, int lane) {
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) words[pair] = reinterpret_cast<const uint4*>(tile)[pair * 32 + lane];
    }

    DEVICE void prepare() {}

    template <int step>
    DEVICE void fragment(u32 (&a)[4]) const {
        const uint4& pair = words[step / 2];
        const u32 low = step % 2 ? pair.z : pair.x, high = step % 2 ? pair.w : pair.y;
        a[0] = expand_e4m3<0>(low), a[1] = expand_e4m3<1>(low);
        a[2] = expand_e4m3<0>(high), a[3] = expand_e4m3<1>(high);
    }
};
