// How activations are rounded to NVFP4, bit for bit as the CPU does (docs/numerics.md).
#pragma once
#include "common/ptx.cuh"

constexpr float LARGEST_FLOAT = 3.402823466e38f;

/// The largest of the magnitudes of a CTA's threads, whole warps, as bits, of which a NaN's are the largest.
DEVICE float largest_in_block(float magnitude) {
    __shared__ u32 warpMaxima[32];
    const u32 lane = threadIdx.x % 32;
    u32 bits = __reduce_max_sync(~0u, __float_as_uint(magnitude));
    __syncthreads();  // the maxima of the call before have been read
    if (lane == 0) warpMaxima[threadIdx.x / 32] = bits;
    __syncthreads();
    bits = lane < blockDim.x / 32 ? warpMaxima[lane] : 0;
    return __uint_as_float(__reduce_max_sync(~0u, bits));
}

/// `NVFP4.encodeScale(absoluteMaximum:)` of the CPU.
DEVICE float encode_scale_of(float maximum) {
    if (maximum == 0.0f) return 1.0f;
    const float scale = __fdiv_rn(2688.0f, maximum);
    return scale > LARGEST_FLOAT ? LARGEST_FLOAT : scale;
}

// The sum of a magnitude and a large enough power of two is rounded to the power's last bit, to nearest even: the bits of
// the sum, less those of the power, count steps.

/// The E4M3 number nearest to a value that is not negative, at most 448, and its code.
DEVICE float round_e4m3(float value, u32& code) {
    const float magnitude = fminf(value, 448.0f);
    const u32 binade = max(__float_as_uint(magnitude), 121u << 23) & 0x7F800000;  // 2^-6 for subnormals
    const float power = __uint_as_float(binade + (20 << 23));
    const float sum = magnitude + power;
    // 8 to 16 steps in a binade, 0 to 8 among the subnormals, whose exponent field is that of the first binade less 1.
    code = __float_as_uint(sum) - __float_as_uint(power) + (binade >> 20) - 8 * 121;
    if (value == value) return sum - power;
    code = 0x7F;
    return value;
}

constexpr u32 CODE_BIAS = 0x4A800000;  ///< the bits of 2^22

/// The code of |value| in E2M1, plus CODE_BIAS: the integer nearest to min(2a, a + 2, a / 2 + 4, 7), a = |value|, is the
/// number of a's place among 0, 0.5, 1, 1.5, 2, 3, 4, 6. NaN is 7.
DEVICE int biased_code(float value) {
    const float a = fabsf(value);
    const int halves = __float_as_int(a + 0x1p22f);
    const int ones = __float_as_int(a + (0x1p23f + 2.0f)) - 0x00800000;
    const int twos = __float_as_int(a + (0x1p24f + 8.0f)) - 0x01000000;
    return min(min(halves, (int)CODE_BIAS + 7), min(ones, twos));
}

/// The E4M3 scale of a block with a maximum, and its code.
DEVICE float block_scale(float maximum, float encodeScale, u32& code) {
    return round_e4m3(__fmul_rn(encodeScale, __fmul_rn(maximum, 1.0f / 6.0f)), code);
}

/// What the elements of a block are multiplied by before they are rounded to E2M1; `inverse` is 1 / encodeScale.
DEVICE float element_factor(float scale, float inverse) {
    const float step = scale * inverse;
    const float reciprocal = __frcp_rn(step);
    // The least number in place of 0 makes all codes zero and keeps their signs.
    return step == 0.0f ? 0x1p-149f : reciprocal > LARGEST_FLOAT ? LARGEST_FLOAT : reciprocal;
}

/// The element of a block, rounded to E2M1.
DEVICE float round_e2m1(float element, float factor) {
    const float value = __fmaf_rn(element, factor, 0.0f);
    const u32 code = (u32)biased_code(value) - CODE_BIAS;
    return copysignf(0.5f * (float)(0xC8643210u >> 4 * code & 15), value);
}
