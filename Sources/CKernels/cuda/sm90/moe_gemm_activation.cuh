// The first product's epilogue: scales, biases and the activation, into the staging area for `hidden`.
#pragma once
#include "sm90/moe_gemm_cta.cuh"

/// One tile of 16 weight rows of a warp on its way to `hidden`. Lane 4g + t has the sums of rows g and g + 8 (gate and up
/// of a unit, or two units) for token rows 2t and 2t + 1 of each eight.
template <class Gemm>
struct HiddenTile {
    const GemmCta<Gemm>& cta;
    const typename Gemm::Item& item;
    bool valid;
    float biases[2];  ///< of the lane's two weight rows
    char* words;      ///< where this lane's token row 0 would have its word in piece 0
    u32 piece;

    DEVICE HiddenTile(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32 block)
        : cta(cta), item(item), valid(block < item.blocks) {
        constexpr int units = Gemm::kGated ? 8 : 16;  // of a tile
        const u32 tile = cta.warp % 4, row = cta.lane / 4;
        const u16* bias = cta.arguments.upBiases;
        if (bias)
            bias += (u64)item.expert * 2 * (Gemm::kDownSlabs * 64) + ((item.weightBlock + block) * 4 + tile) * units + row;
        biases[0] = bias && valid ? bf16_value(*bias) : 0;
        biases[1] = bias && valid ? bf16_value(bias[Gemm::kGated ? Gemm::kDownSlabs * 64 : 8]) : 0;
        const u32 area = Gemm::kGated ? block / 2 : block, word = Gemm::kGated ? block % 2 * 2 + tile / 2 : tile;
        words = cta.staging + area * Gemm::kStagingBytes + word * 4;
        piece = (Gemm::kGated ? tile % 2 * 4 : 0) + row / 2;
    }

    /// Stores eight token rows from `first` on.
    DEVICE void store(u32 first, const float (&sums)[4]) const {
        const float2 weights = *reinterpret_cast<const float2*>(item.weights + first + cta.lane % 4 * 2);
        if constexpr (Gemm::kGated) {
            store(first, piece, unit(sums[0], sums[2], weights.x), unit(sums[1], sums[3], weights.y));
        } else {
            store(first, piece, unit(sums[0], biases[0], weights.x), unit(sums[1], biases[0], weights.y));
            store(first, piece + 4, unit(sums[2], biases[1], weights.x), unit(sums[3], biases[1], weights.y));
        }
    }

    /// A unit of the first token row and one of the second: lanes of neighbouring units exchange one each.
    DEVICE void store(u32 first, u32 piece, float even, float odd) const {
        const bool isOdd = cta.lane / 4 % 2;
        const float other = __shfl_xor_sync(~0u, isOdd ? even : odd, 4);
        const u32 row = first + cta.lane % 4 * 2 + isOdd;
        const u32 pair = isOdd ? pack_bf16x2(other, odd) : pack_bf16x2(even, other);
        *reinterpret_cast<u32*>(words + row * PACKED_BYTES + (piece ^ row % 8) * 16) = valid ? pair : 0;
    }

    /// Gate and up, or up and its bias.
    DEVICE float unit(float first, float second, float weight) const {
        if constexpr (Gemm::kGated)
            return gated<Gemm::kActivation>(first * (weight * item.scales[0]) + biases[0],
                                            second * (weight * item.scales[1]) + biases[1], cta.arguments.constants);
        else
            return ungated(first * (weight * item.scales[0]) + second);
    }
};

/// Waits until the staging area is free, fills it, and tells whoever stores it.
template <class Gemm>
DEVICE void stage_hidden(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                         const typename Gemm::Sums& sums, u32 perGroup) {
    barrier_wait(&cta.barriers->stagingEmpty, item.staging ^ 1);
#pragma unroll
    for (int m = 0; m < Gemm::kBlocksOfGroup; ++m) {
        if (m >= perGroup) break;
        const HiddenTile<Gemm> tile(cta, item, cta.block(perGroup, m));
#pragma unroll
        for (int n = 0; n < Gemm::kRows / 8; ++n) {
            if (n * 8 >= item.rowCount) break;
            tile.store(n * 8, sums[m][n]);
        }
    }
    fence_async_shared();
    warp_arrive(&cta.barriers->stagingFull);
}
