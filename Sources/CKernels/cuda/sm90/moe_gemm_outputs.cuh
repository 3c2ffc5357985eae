// The second product's epilogue: scales, biases, router weights and the residual, to global memory.
#pragma once
#include "sm90/moe_gemm_rows.cuh"

/// The rows of an item whose sums are in registers, for store_outputs. NVRTC takes generic lambdas for host code.
template <class Gemm, int kPerGroup, int kColumns>
struct SumRows {
    const GemmCta<Gemm>& cta;
    const typename Gemm::Item& item;
    const float (&sums)[kPerGroup][kColumns][4];

    template <class Body>
    DEVICE void operator()(int m, Body body) const { each_row(cta, sums[m], item.rowCount, body); }
};

/// eachRow(m, body) calls body with the rows of this warpgroup's m-th block of weight rows.
template <int kPerGroup, class Gemm, class EachRow>
DEVICE void store_outputs(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, EachRow eachRow) {
    const MoeGemmArguments& arguments = cta.arguments;
#pragma unroll
    for (int m = 0; m < kPerGroup; ++m) {
        const u32 block = block_of<kPerGroup>(cta, m), half = cta.lane % 2 * 8;
        const u32 column = (item.weightBlock + block) * 64 + cta.warp % 4 * 16 + half;
        const bool valid = block < item.blocks && column < Gemm::kOutputs;
        const u16* biases = arguments.downBiases && valid
            ? arguments.downBiases + (u64)item.expert * Gemm::kOutputs + column : nullptr;
        const float4 biasLow = four_values(biases), biasHigh = four_values(biases ? biases + 4 : nullptr);
        const float* factors =
            Gemm::kFormat == FP8 && arguments.rowScales && valid ? arguments.rowScales + column : nullptr;
        eachRow(m, [&](u32 row, const float* sums) {
            if (!valid || row >= item.rowCount) return;
            const float4 sumLow = quad(sums + half), sumHigh = quad(sums + half + 4);
            const float weight = item.weights[row], scale = item.scales[0];
            const u64 index = (u64)item.targets[row] * Gemm::kOutputs + column;
            const u16* residual = Gemm::kOneRow && arguments.residual ? arguments.residual + index : nullptr;
            auto output = [&](float sum, float factor, float bias, float residual) {
                return weight * (sum * (scale * factor) + bias) + residual;
            };
            const float4 residualLow = four_values(residual), residualHigh = four_values(residual ? residual + 4 : nullptr);
            const float4 factorLow = four_factors(factors), factorHigh = four_factors(factors ? factors + 4 : nullptr);
            *reinterpret_cast<uint4*>(arguments.output + index) =
                make_uint4(pack_bf16x2(output(sumLow.x, factorLow.x, biasLow.x, residualLow.x),
                                       output(sumLow.y, factorLow.y, biasLow.y, residualLow.y)),
                           pack_bf16x2(output(sumLow.z, factorLow.z, biasLow.z, residualLow.z),
                                       output(sumLow.w, factorLow.w, biasLow.w, residualLow.w)),
                           pack_bf16x2(output(sumHigh.x, factorHigh.x, biasHigh.x, residualHigh.x),
                                       output(sumHigh.y, factorHigh.y, biasHigh.y, residualHigh.y)),
                           pack_bf16x2(output(sumHigh.z, factorHigh.z, biasHigh.z, residualHigh.z),
                                       output(sumHigh.w, factorHigh.w, biasHigh.w, residualHigh.w)));
        });
    }
}
