// Items whose slabs are divided among CTAs: each part is stored, and items of their own add them up, in their order.
#pragma once
#include "sm90/moe_gemm_outputs.cuh"

/// This warp's part of an item: quads of sums, [m][column][lane].
template <class Gemm>
DEVICE uint4* part_sums(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32 part) {
    const u32 number = (item.split * item.parts + part) * Gemm::kMultipliers + cta.warp;
    return reinterpret_cast<uint4*>(cta.arguments.partials) + (u64)number * (Gemm::kWarpFloats / 4) + cta.lane;
}

/// Stores this warp's part of an item, in whole pairs of columns, and tells whoever waits to add it.
template <class Gemm>
DEVICE void store_part(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                       const typename Gemm::Sums& sums, u32 perGroup) {
    uint4* quads = part_sums(cta, item, item.part);
#pragma unroll
    for (int m = 0; m < Gemm::kBlocksOfGroup; ++m) {
        if (m >= perGroup) break;
#pragma unroll
        for (int n = 0; n < Gemm::kRows / 8; ++n) {
            if (n / 2 * 16 >= item.rowCount) break;
            const float(&sum)[4] = sums[m][n];
            quads[(m * (Gemm::kRows / 8) + n) * 32] = make_uint4(__float_as_uint(sum[0]), __float_as_uint(sum[1]),
                                                                 __float_as_uint(sum[2]), __float_as_uint(sum[3]));
        }
    }
    __syncwarp();
    if (cta.lane == 0) add_release(cta.stored(item.split), 1);
}

constexpr int PAIRS_TOGETHER = 2;

/// Adds up the parts of some pairs of columns of fragments, which begin at `columns`; the loads of four parts are under way
/// at once.
template <class Gemm>
DEVICE void add_parts(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, const u32 (&columns)[PAIRS_TOGETHER],
                      float (&sums)[2 * PAIRS_TOGETHER][4]) {
    constexpr int together = 4, count = 2 * PAIRS_TOGETHER;
#pragma unroll
    for (int n = 0; n < count; ++n) sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0;
#pragma unroll 1
    for (u32 part = 0; part < item.parts; part += together) {
        uint4 quads[together][count];
#pragma unroll
        for (int i = 0; i < together; ++i)
#pragma unroll
            for (int n = 0; n < count; ++n) {
                quads[i][n] = make_uint4(0, 0, 0, 0);
                if (part + i < item.parts)
                    quads[i][n] = load_volatile(part_sums(cta, item, part + i) + (columns[n / 2] + n % 2) * 32);
            }
#pragma unroll
        for (int i = 0; i < together; ++i)
#pragma unroll
            for (int n = 0; n < count; ++n) {
                sums[n][0] += __uint_as_float(quads[i][n].x), sums[n][1] += __uint_as_float(quads[i][n].y);
                sums[n][2] += __uint_as_float(quads[i][n].z), sums[n][3] += __uint_as_float(quads[i][n].w);
            }
    }
}

/// A share of adding up a divided item: every so many units of 16 token rows and one block of weight rows of each warpgroup.
template <class Gemm>
DEVICE void sum_parts(const GemmCta<Gemm>& cta, const typename Gemm::Item& item) {
    const u32 perGroup = item.blocks > Gemm::kGroups ? Gemm::kBlocksOfGroup : 1;
    const u32 pairs = (item.rowCount + 15) / 16, units = perGroup * pairs;
#pragma unroll 1
    for (u32 first = item.part; first < units; first += PAIRS_TOGETHER * item.shares) {
        u32 columns[PAIRS_TOGETHER];
#pragma unroll
        for (int i = 0; i < PAIRS_TOGETHER; ++i) {
            const u32 unit = min(first + i * item.shares, units - 1);
            columns[i] = unit / pairs * (Gemm::kRows / 8) + unit % pairs * 2;
        }
        float sums[2 * PAIRS_TOGETHER][4];
        add_parts(cta, item, columns, sums);
#pragma unroll
        for (int i = 0; i < PAIRS_TOGETHER; ++i) {
            if (first + i * item.shares >= units) break;
            const u32 m = columns[i] / (Gemm::kRows / 8), row = columns[i] % (Gemm::kRows / 8) * 8;
            OutputTile<Gemm>(cta, item, cta.block(perGroup, m)).store(row, sums[2 * i], sums[2 * i + 1]);
        }
    }
}
