// Sums on their way out of registers: through shared memory, where a loop can index them, 16 token rows of a warp at a time.
#pragma once
#include "sm90/moe_gemm_cta.cuh"

/// This warp's sums of 16 token rows: [16][kSumPitch].
template <class Gemm>
DEVICE float* sum_rows(const GemmCta<Gemm>& cta) {
    float* sums = reinterpret_cast<float*>(cta.staging + Gemm::kStagings * Gemm::kStagingBytes);
    return sums + cta.warp * (Gemm::kSumRows * Gemm::kSumPitch);
}

/// Brings two columns of fragments into shared memory.
template <class Gemm>
DEVICE void scatter_rows(const GemmCta<Gemm>& cta, const float (&low)[4], const float (&high)[4]) {
    constexpr int pitch = Gemm::kSumPitch;
    float* out = sum_rows(cta) + cta.lane % 4 * 2 * pitch + cta.lane / 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        out[i % 2 * pitch + i / 2 * 8] = low[i];
        out[(8 + i % 2) * pitch + i / 2 * 8] = high[i];
    }
    __syncwarp();
}

/// Calls body(row, sums) with every token row of a block of weight rows; two lanes share a row.
template <class Gemm, int kColumns, class Body>
DEVICE void each_row(const GemmCta<Gemm>& cta, const float (&sums)[kColumns][4], u32 rowCount, Body body) {
    static_assert(kColumns % 2 == 0, "16 token rows at a time");
#pragma unroll
    for (int n = 0; n < kColumns; n += 2) {
        if (n * 8 >= rowCount) return;
        scatter_rows(cta, sums[n], sums[n + 1]);
        body(n * 8 + cta.lane / 2, sum_rows(cta) + cta.lane / 2 * Gemm::kSumPitch);
        __syncwarp();
    }
}

/// The item's block of weight rows that is this warpgroup's m-th of kPerGroup.
template <int kPerGroup, class Gemm>
DEVICE u32 block_of(const GemmCta<Gemm>& cta, int m) { return cta.warp / 4 * kPerGroup + m; }

DEVICE float4 quad(const float* floats) { return *reinterpret_cast<const float4*>(floats); }

/// Four BF16 from global memory, or zeros.
DEVICE float4 four_values(const u16* values) {
    if (!values) return make_float4(0, 0, 0, 0);
    const uint2 pairs = *reinterpret_cast<const uint2*>(values);
    return make_float4(bf16_value((u16)pairs.x), bf16_value((u16)(pairs.x >> 16)), bf16_value((u16)pairs.y),
                       bf16_value((u16)(pairs.y >> 16)));
}

/// Four factors, or ones.
DEVICE float4 four_factors(const float* factors) { return factors ? quad(factors) : make_float4(1, 1, 1, 1); }
