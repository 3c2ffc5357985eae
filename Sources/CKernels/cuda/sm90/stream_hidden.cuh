// The first product's sums: gate and up, their biases, the activation, `hidden` in BF16.
#pragma once
#include "common/packets.cuh"
#include "sm90/stream_sums.cuh"

template <class Shape>
struct StreamHidden : StreamSums<Shape> {
    typedef StreamSums<Shape> Base;
    typedef typename Base::Sums Sums;
    typedef typename Base::Factors Factors;
    using Base::add, Base::add_parts, Base::cta, Base::end_of_parts, Base::lane, Base::load_block, Base::partial;
    using Base::receive, Base::row_in_block, Base::store_part, Base::take_part, Base::tile;
    static constexpr int kColumnTiles = Shape::kColumnTiles;
    static constexpr int kHiddenColumns = Shape::kHiddenColumns;
    static constexpr bool kGated = Shape::kGated;
    typedef typename Shape::UpWork UpWork;

    using Base::Base;

    DEVICE void run(u32 blockCount, u32& passed) const {
        const u32 launch = Shape::kPackets ? load_acquire(&cta.arguments.state->sent) + 1 : 0;
#pragma unroll 1
        for (int phase = Shape::kFirstPhase; phase < 2; ++phase) run(cta.up_work(blockCount, phase), phase, launch, passed);
    }

    DEVICE void run(const UpWork& work, int phase, u32 launch, u32& passed) const {
        const bool isSecond = phase > Shape::kFirstPhase;
        for (StreamWalk<UpWork> walk(work, blockIdx.x); walk.remains();) {
            const u32 first = walk.first, weightBlock = walk.weightBlock;
            const u32 count = walk.ahead(UpWork::slabs);
            Factors factors;
            load_up_factors(factors, walk.rowBlock, weightBlock * kHiddenColumns + tile * (kHiddenColumns / 4) + lane / 4);
            walk.advance(count);
            // The part that follows is the next CTA's first: it is there long before this one's last sums.
            const bool continues = first == 0 && count < UpWork::slabs;
            uint4 early[kColumnTiles];
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n)
                if (continues) early[n] = load_volatile(partial(blockIdx.x + 1, isSecond) + n * 32 + lane);
            Sums sums;
            receive(sums, passed);
            if (first > 0) {
                uint4* part = partial(blockIdx.x, isSecond) + lane;
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n)
                    store_part(part + n * 32, make_float4(sums[n][0], sums[n][1], sums[n][2], sums[n][3]));
                continue;
            }
            if (continues) {
                const u32 end = end_of_parts(work, walk.position - walk.first + UpWork::slabs);
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n) {
                    add(sums[n], take_part(partial(blockIdx.x + 1, isSecond) + n * 32 + lane, early[n]));
                    add_parts(sums[n], n * 32 + lane, blockIdx.x + 2, end, isSecond);
                }
            }
            store_hidden(weightBlock, factors, sums, phase, launch);
        }
    }

    DEVICE void load_up_factors(Factors& factors, u32 rowBlock, u32 column) const {
        load_block(factors, rowBlock, cta.arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, pitch = cta.arguments.down.inputPitch;
        const float2 scale = cta.arguments.upScales ? cta.arguments.upScales[expert] : make_float2(1, 1);
        factors.scales[0] = scale.x * accumulator_factor(Shape::kFormat);
        factors.scales[1] = scale.y * accumulator_factor(Shape::kFormat);
        if (cta.arguments.upBiases)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 index = kGated ? half * pitch + column : column + 8 * half;
                factors.biases[half] = bf16_value(cta.arguments.upBiases[(u64)expert * 2 * pitch + index]);
            }
    }

    DEVICE void store_hidden(u32 weightBlock, const Factors& factors, const Sums& sums, int phase, u32 launch) const {
        u16* column = cta.arguments.hidden + weightBlock * kHiddenColumns + tile * (kHiddenColumns / 4);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = row_in_block(n, i);
                const float weight = factors.weights[n][i];
                const float first = sums[n][i] * (weight * factors.scales[0]) + factors.biases[0];
                const float second = sums[n][2 + i] * (weight * factors.scales[1]) + factors.biases[1];
                if (Shape::kPackets) {
                    const bool isMine = row < factors.block.rowCount;
                    const u64 place = (u64)(factors.block.firstRow + row) * cta.arguments.down.inputPitch;
                    const u32 column = weightBlock * kHiddenColumns + tile * (kHiddenColumns / 4) + lane / 4;
                    u64* packets = cta.arguments.packets + (place + column) / 2;
                    if (kGated) {
                        send(packets, gated<Shape::kActivation>(first, second, cta.arguments.constants), launch, isMine);
                    } else {
                        send(packets, ungated(first), launch, isMine), send(packets + 4, ungated(second), launch, isMine);
                    }
                    continue;
                }
                uint4 pieces[kGated ? 1 : 2];
                if (kGated) {
                    pieces[0] = collect_row(gated<Shape::kActivation>(first, second, cta.arguments.constants));
                } else {
                    pieces[0] = collect_row(ungated(first));
                    pieces[kGated ? 0 : 1] = collect_row(ungated(second));
                }
                if (lane >= 4 || row >= factors.block.rowCount) continue;
                u16* out = column + (u64)(factors.block.firstRow + row) * cta.arguments.down.inputPitch;
#pragma unroll
                for (int piece = 0; piece < (kGated ? 1 : 2); ++piece) reinterpret_cast<uint4*>(out)[piece] = pieces[piece];
            }
        if (Shape::kDownBlocks == 0) return;
        // One of the four warps tells: each telling waits until all stores before it have arrived. Packets need no such
        // wait, for they tell by themselves.
        barrier_named<1, 32 * Shape::kFinishers>();
        if (tile != 0 || lane != 0) return;
        if (Shape::kPackets) {
            add_relaxed(cta.arguments.state->finished + phase, 1);
        } else {
            add_release(cta.arguments.state->finished + phase, 1);
        }
    }

    /// Two columns of a row, which this lane and the one four further on hold, by every other four.
    static DEVICE void send(u64* packets, float value, u32 launch, bool isMine) {
        const u32 pair = pack_bf16x2(value, __shfl_down_sync(~0u, value, 4));
        if (isMine && threadIdx.x % 8 < 4) store_packet(packets, packet(pair, launch));
    }

    /// Eight columns of a row, which eight lanes hold, as BF16 in the first of these lanes.
    static DEVICE uint4 collect_row(float value) {
        const u32 pair = pack_bf16x2(value, __shfl_down_sync(~0u, value, 4));
        return make_uint4(pair, __shfl_down_sync(~0u, pair, 8), __shfl_down_sync(~0u, pair, 16),
                          __shfl_down_sync(~0u, pair, 24));
    }
};
