// The second product's sums: biases, router weights, the sum over experts, the residual, `output` in BF16.
#pragma once
#include "sm90/stream_sums.cuh"

template <class Shape>
struct StreamOutputs : StreamSums<Shape> {
    typedef StreamSums<Shape> Base;
    typedef typename Base::Sums Sums;
    typedef typename Base::Factors Factors;
    using Base::add, Base::add_parts, Base::cta, Base::end_of_parts, Base::lane, Base::load_block, Base::partial;
    using Base::receive, Base::row_in_block, Base::store_part, Base::tile;
    static constexpr int kColumnTiles = Shape::kColumnTiles;
    static constexpr int kOutputs = Shape::kOutputs;
    typedef typename Shape::DownWork DownWork;

    using Base::Base;

    DEVICE void run(u32 blockCount, u32& passed) const {
        const DownWork work = cta.down_work(blockCount);
        const u32 begin = work.share(blockIdx.x), end = work.share(blockIdx.x + 1);
        if (begin >= end) return;
        for (int slot = 0; slot < Shape::kOutputSlots; ++slot) clear_outputs(slot);
        u32 weightBlock = begin / work.unitSlabs();  // the first whose sums are not complete
#pragma unroll 1
        for (int phase = Shape::kFirstPhase; phase < 2; ++phase) {
            for (auto walk = cta.down_walk(work, phase); walk.remains();) {
                if (phase == 1)
                    for (; weightBlock < walk.weightBlock; ++weightBlock) complete_outputs(work, weightBlock, begin, end);
                const u32 slot = slot_of(walk.weightBlock);
                Factors factors;
                load_down_factors(factors, walk.rowBlock, walk.weightBlock, walk.first == 0);
                walk.advance(walk.ahead(DownWork::slabs));
                Sums sums;
                receive(sums, passed);
                add_outputs(factors, sums, slot);
            }
        }
        for (; weightBlock * work.unitSlabs() < end; ++weightBlock) complete_outputs(work, weightBlock, begin, end);
    }

    /// Adds the other CTAs' parts of a block's sums and stores the outputs, or stores the sums as a part for another CTA.
    DEVICE void complete_outputs(const DownWork& work, u32 weightBlock, u32 begin, u32 end) const {
        const u32 unit = weightBlock * work.unitSlabs(), unitEnd = unit + work.unitSlabs(), slot = slot_of(weightBlock);
        if (begin > unit) {
            store_partial_outputs(slot);
        } else {
            if (end < unitEnd) add_partial_outputs(end_of_parts(work, unitEnd), slot);
            store_outputs(weightBlock, slot);
        }
        clear_outputs(slot);
    }

    static DEVICE u32 slot_of(u32 weightBlock) { return weightBlock % Shape::kOutputSlots; }
    DEVICE float* outputs(u32 slot) const { return cta.outputs + slot * Shape::kOutputFloats; }

    DEVICE void load_down_factors(Factors& factors, u32 rowBlock, u32 weightBlock, bool biased) const {
        load_block(factors, rowBlock, !cta.arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, row = weightBlock * SLAB_ROWS + tile * TILE_ROWS + lane / 4;
        const float scale = accumulator_factor(Shape::kFormat) * (cta.arguments.downScales ? cta.arguments.downScales[expert] : 1.0f);
#pragma unroll
        for (int half = 0; half < 2; ++half)
            factors.scales[half] = Shape::kFormat == FP8 && cta.arguments.rowScales && row + 8 * half < kOutputs
                                       ? scale * cta.arguments.rowScales[row + 8 * half]
                                       : scale;
        if (cta.arguments.downBiases && biased)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                if (row + 8 * half < kOutputs)
                    factors.biases[half] = bf16_value(cta.arguments.downBiases[(u64)expert * kOutputs + row + 8 * half]);
    }

    DEVICE void add_outputs(const Factors& factors, const Sums& sums, u32 slot) const {
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                if (row_in_block(n, i) >= factors.block.rowCount) continue;
                float* output = outputs(slot) + factors.tokens[n][i] * TILE_ROWS + lane / 4;
                output[0] += factors.weights[n][i] * (sums[n][i] * factors.scales[0] + factors.biases[0]);
                output[8] += factors.weights[n][i] * (sums[n][2 + i] * factors.scales[1] + factors.biases[1]);
            }
        __syncwarp();
    }

    DEVICE u32 output_quads() const { return cta.arguments.tokenCount * (TILE_ROWS / 4); }

    DEVICE void clear_outputs(u32 slot) const {
        for (u32 i = lane; i < output_quads(); i += 32)
            reinterpret_cast<float4*>(outputs(slot))[i] = make_float4(0, 0, 0, 0);
        __syncwarp();
    }

    DEVICE void store_partial_outputs(u32 slot) const {
        uint4* part = partial(blockIdx.x);
        for (u32 i = lane; i < output_quads(); i += 32) store_part(part + i, reinterpret_cast<const float4*>(outputs(slot))[i]);
        __syncwarp();
    }

    DEVICE void add_partial_outputs(u32 end, u32 slot) const {
        for (u32 i = lane; i < output_quads(); i += 32) {
            float4& quad = reinterpret_cast<float4*>(outputs(slot))[i];
            float sums[4] = {quad.x, quad.y, quad.z, quad.w};
            add_parts(sums, i, blockIdx.x + 1, end);
            quad = make_float4(sums[0], sums[1], sums[2], sums[3]);
        }
        __syncwarp();
    }

    DEVICE void store_outputs(u32 weightBlock, u32 slot) const {
        for (u32 i = lane; i < cta.arguments.tokenCount * (TILE_ROWS / 2); i += 32) {
            const u32 token = i / (TILE_ROWS / 2), pair = i % (TILE_ROWS / 2) * 2;
            const u32 column = weightBlock * SLAB_ROWS + tile * TILE_ROWS + pair;
            if (column >= kOutputs) continue;
            float2 value = *reinterpret_cast<const float2*>(outputs(slot) + token * TILE_ROWS + pair);
            const u64 index = (u64)token * kOutputs + column;
            if (cta.arguments.residual) {
                const u32 residual = *reinterpret_cast<const u32*>(cta.arguments.residual + index);
                value.x += bf16_value((u16)residual), value.y += bf16_value((u16)(residual >> 16));
            }
            *reinterpret_cast<u32*>(cta.arguments.output + index) = pack_bf16x2(value.x, value.y);
        }
        __syncwarp();
    }
};
