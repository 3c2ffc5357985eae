// The second product's epilogue: scales, biases, router weights and the residual, to global memory.
#pragma once
#include "sm90/moe_gemm_cta.cuh"

/// One tile of 16 weight rows of a warp on its way to the output. Lane 4g + t has the sums of rows g and g + 8 for token
/// rows 2t and 2t + 1 of each eight; through shared memory it gets eight neighbouring outputs of token row lane / 2.
template <class Gemm>
struct OutputTile {
    const GemmCta<Gemm>& cta;
    const typename Gemm::Item& item;
    u32 column;  ///< the first of the eight outputs
    bool valid;
    float scales[2], biases[2];  ///< of the lane's two weight rows

    DEVICE OutputTile(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32 block) : cta(cta), item(item) {
        const MoeGemmArguments& arguments = cta.arguments;
        const u32 first = (item.weightBlock + block) * 64 + cta.warp % 4 * 16;
        column = first + cta.lane % 2 * 8;
        valid = block < item.blocks && column < Gemm::kOutputs;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const u32 row = first + i * 8 + cta.lane / 4;
            const bool exists = block < item.blocks && first + i * 8 < Gemm::kOutputs;
            scales[i] = item.scales[0], biases[i] = 0;
            if (Gemm::kFormat == FP8 && arguments.rowScales && exists) scales[i] *= arguments.rowScales[row];
            if (arguments.downBiases && exists)
                biases[i] = bf16_value(arguments.downBiases[(u64)item.expert * Gemm::kOutputs + row]);
        }
    }

    /// Stores 16 token rows from `first` on.
    DEVICE void store(u32 first, const float (&low)[4], const float (&high)[4]) const {
        const u32 lane = cta.lane, row = first + lane / 2;
        char* rows = cta.outputs + cta.warp * Gemm::kOutputBytes;
        char* columnOfMatrix = rows + (lane / 16 * 8 + lane % 8) * Gemm::kOutputPitch + lane / 8 % 2 * 16;
        uint4* eight = reinterpret_cast<uint4*>(rows + lane / 2 * Gemm::kOutputPitch + lane % 2 * 16);
        const bool exists = valid && row < item.rowCount;
        const u64 index = (u64)item.targets[row] * Gemm::kOutputs + column;
        u32 pairs[4] = {};
        if (Gemm::kOneRow && cta.arguments.residual) {
            *eight = exists ? *reinterpret_cast<const uint4*>(cta.arguments.residual + index) : make_uint4(0, 0, 0, 0);
            __syncwarp();
            load_transposed(pairs, columnOfMatrix);
            __syncwarp();
        }
        const float2* weights = reinterpret_cast<const float2*>(item.weights + first) + lane % 4;
        add_residual(pairs[0], low[0], low[1], weights[0], 0), add_residual(pairs[1], low[2], low[3], weights[0], 1);
        add_residual(pairs[2], high[0], high[1], weights[4], 0), add_residual(pairs[3], high[2], high[3], weights[4], 1);
        store_transposed(columnOfMatrix, pairs);
        __syncwarp();
        if (exists) *reinterpret_cast<uint4*>(cta.arguments.output + index) = *eight;
        __syncwarp();
    }

    /// The outputs of one weight row, for two token rows, in place of the residual.
    DEVICE void add_residual(u32& pair, float even, float odd, float2 weights, int i) const {
        pair = pack_bf16x2(weights.x * (even * scales[i] + biases[i]) + bf16_value((u16)pair),
                           weights.y * (odd * scales[i] + biases[i]) + bf16_value((u16)(pair >> 16)));
    }
};

template <class Gemm>
DEVICE void store_outputs(const GemmCta<Gemm>& cta, const typename Gemm::Item& item,
                          const typename Gemm::Sums& sums, u32 perGroup) {
#pragma unroll
    for (int m = 0; m < Gemm::kBlocksOfGroup; ++m) {
        if (m >= perGroup) break;
        const OutputTile<Gemm> tile(cta, item, cta.block(perGroup, m));
#pragma unroll
        for (int n = 0; n < Gemm::kRows / 8; n += 2) {
            if (n * 8 >= item.rowCount) break;
            tile.store(n * 8, sums[m][n], sums[m][n + 1]);
        }
    }
}
