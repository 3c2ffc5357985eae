// The first product's epilogue: scales, biases and the activation, into the staging area for `hidden`.
#pragma once
#include "sm90/moe_gemm_rows.cuh"

template <class Gemm, int kPerGroup, int kColumns>
DEVICE void stage_gated(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                        const float (&sums)[kPerGroup][kColumns][4]) {
    const MoeGemmArguments& arguments = cta.arguments;
#pragma unroll
    for (int m = 0; m < kPerGroup; ++m) {
        const u32 block = block_of<kPerGroup>(cta, m), tile = cta.warp % 4, quarter = cta.lane % 2 * 4;
        const u16* biases = arguments.upBiases;
        if (biases)
            biases += (u64)item.expert * 2 * (Gemm::kDownSlabs * 64) + (item.weightBlock + block) * 32 + tile * 8 + quarter;
        const bool valid = block < item.blocks;
        const float4 gateBias = four_values(valid ? biases : nullptr);
        const float4 upBias = four_values(valid && biases ? biases + Gemm::kDownSlabs * 64 : nullptr);
        char* out = cta.staging + block / 2 * Gemm::kStagingBytes + (block % 2 * 2 + tile / 2) * 4;
        const u32 piece = tile % 2 * 4 + quarter / 2;
        each_row(cta, sums[m], item.rowCount, [&](u32 row, const float* sums) {
            auto activated = [&](float gate, float up) {
                return gated<Gemm::kActivation>(gate, up, arguments.constants);
            };
            const float4 gate = quad(sums + quarter), up = quad(sums + 8 + quarter);
            const float weight = item.weights[row], gateScale = weight * item.scales[0], upScale = weight * item.scales[1];
            u32 low = pack_bf16x2(activated(gate.x * gateScale + gateBias.x, up.x * upScale + upBias.x),
                                  activated(gate.y * gateScale + gateBias.y, up.y * upScale + upBias.y));
            u32 high = pack_bf16x2(activated(gate.z * gateScale + gateBias.z, up.z * upScale + upBias.z),
                                   activated(gate.w * gateScale + gateBias.w, up.w * upScale + upBias.w));
            if (!valid) low = high = 0;
            char* words = out + row * PACKED_BYTES;
            *reinterpret_cast<u32*>(words + (piece ^ row % 8) * 16) = low;
            *reinterpret_cast<u32*>(words + ((piece + 1) ^ row % 8) * 16) = high;
        });
    }
}

/// Of a row's 16 columns of a warp, each of two lanes has eight: four pieces of the packed layout.
template <class Gemm, int kPerGroup, int kColumns>
DEVICE void stage_ungated(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                          const float (&sums)[kPerGroup][kColumns][4]) {
    const u16* biases = cta.arguments.upBiases;
#pragma unroll
    for (int m = 0; m < kPerGroup; ++m) {
        const u32 block = block_of<kPerGroup>(cta, m), tile = cta.warp % 4;
        const bool biased = biases && block < item.blocks;
        const u32 first = item.expert * 2 * (Gemm::kDownSlabs * 64) + (item.weightBlock + block) * 64 + tile * 16;
        each_row(cta, sums[m], item.rowCount, [&](u32 row, const float* sums) {
            // One half after the other, all else read again for every row: registers are full of sums.
#pragma unroll 1
            for (u32 i = 0; i < 2; ++i) {
                const u32 columns = cta.lane % 2 * 8 + i * 4;
                const float scale = item.weights[row] * item.scales[0];
                const float4 sum = quad(sums + columns);
                const float4 bias = four_values(biased ? biases + first + columns : nullptr);
                char* words = cta.staging + block * Gemm::kStagingBytes + row * PACKED_BYTES;
                u32* pieces = reinterpret_cast<u32*>(words) + tile;
                pieces[(columns / 2 ^ row % 8) * 4] =
                    pack_bf16x2(ungated(sum.x * scale + bias.x), ungated(sum.y * scale + bias.y));
                pieces[((columns / 2 + 1) ^ row % 8) * 4] =
                    pack_bf16x2(ungated(sum.z * scale + bias.z), ungated(sum.w * scale + bias.w));
            }
        });
    }
}

/// Waits until the staging area is free, fills it, and tells whoever stores it.
template <class Gemm, int kPerGroup, int kColumns>
DEVICE void stage_hidden(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                         const float (&sums)[kPerGroup][kColumns][4]) {
    barrier_wait(&cta.barriers->stagingEmpty, item.staging ^ 1);
    if (Gemm::kGated) stage_gated(cta, item, sums);
    else stage_ungated(cta, item, sums);
    fence_async_shared();
    warp_arrive(&cta.barriers->stagingFull);
}
