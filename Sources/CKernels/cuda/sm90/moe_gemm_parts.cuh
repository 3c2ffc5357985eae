// Items whose slabs are divided among CTAs: the last to finish a part adds them up, in their order.
#pragma once
#include "sm90/moe_gemm_outputs.cuh"

/// This warp's part of an item: quads of sums, [m][column][lane].
template <class Gemm>
DEVICE uint4* part_sums(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32 part) {
    const u32 number = (item.split * item.parts + part) * Gemm::kMultipliers + cta.warp;
    return reinterpret_cast<uint4*>(cta.arguments.partials) + (u64)number * (Gemm::kWarpFloats / 4) + cta.lane;
}

template <class Gemm, int kPerGroup, int kColumns>
DEVICE void store_part(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                       const float (&sums)[kPerGroup][kColumns][4]) {
    uint4* quads = part_sums(cta, item, item.part);
#pragma unroll
    for (int m = 0; m < kPerGroup; ++m)
#pragma unroll
        for (int n = 0; n < kColumns; ++n) {
            const float(&sum)[4] = sums[m][n];
            quads[(m * (Gemm::kRows / 8) + n) * 32] = make_uint4(__float_as_uint(sum[0]), __float_as_uint(sum[1]),
                                                                 __float_as_uint(sum[2]), __float_as_uint(sum[3]));
        }
}

/// Adds up one quad of the parts of an item.
template <class Gemm>
DEVICE void add_parts(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32 index, float (&sums)[4]) {
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
#pragma unroll 4
    for (u32 part = 0; part < item.parts; ++part) {
        const uint4 other = load_volatile(part_sums(cta, item, part) + index * 32);
        sums[0] += __uint_as_float(other.x), sums[1] += __uint_as_float(other.y);
        sums[2] += __uint_as_float(other.z), sums[3] += __uint_as_float(other.w);
    }
}

/// The rows of a divided item, for store_outputs.
template <class Gemm>
struct PartRows {
    const GemmCta<Gemm>& cta;
    const typename Gemm::Item& item;

    template <class Body>
    DEVICE void operator()(int m, Body body) const {
#pragma unroll 1
        for (u32 n = 0; n * 8 < item.rowCount; n += 2) {
            float low[4], high[4];
            add_parts(cta, item, m * (Gemm::kRows / 8) + n, low);
            add_parts(cta, item, m * (Gemm::kRows / 8) + n + 1, high);
            scatter_rows(cta, low, high);
            body(n * 8 + cta.lane / 2, sum_rows(cta) + cta.lane / 2 * Gemm::kSumPitch);
            __syncwarp();
        }
    }
};

/// If this warp's is the last of the parts to be there, adds them up and stores the outputs.
template <class Gemm>
DEVICE void finish_parts(const GemmCta<Gemm>& cta, const typename Gemm::Item& item) {
    __syncwarp();
    u32* counter = cta.arguments.counters + 32 + item.split * Gemm::kMultipliers + cta.warp;
    u32 number = 0;
    if (cta.lane == 0) number = take_number(counter, item.parts);
    if (same_in_all(number) != item.parts - 1) return;
    if (item.blocks > Gemm::kBlocks / 2) store_outputs<2>(cta, item, PartRows<Gemm>{cta, item});
    else store_outputs<1>(cta, item, PartRows<Gemm>{cta, item});
}
