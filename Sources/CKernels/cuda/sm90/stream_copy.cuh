// The warps of a streaming CTA that copy: one thread weights, some warps the activation rows that belong to them.
#pragma once
#include "common/packets.cuh"
#include "sm90/stream_cta.cuh"

template <class Shape>
struct StreamWeightCopier {
    const StreamCta<Shape>& cta;
    WeightStream<typename Shape::Ring, Shape::kInFlight> stream;

    DEVICE StreamWeightCopier(const StreamCta<Shape>& cta) : cta(cta), stream{cta.ring, cta.arguments.state} {}

    DEVICE void begin() { stream.begin(); }

    DEVICE void run() {
        const u32 blockCount = cta.block_count();
        if (cta.isEarly) stream.wait_for_turn();
        auto lead = [](int phase, int first) { return phase == Shape::kFirstPhase ? first : Shape::kInFlight; };
        if constexpr (Shape::kUpBlocks > 0)
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase)
                stream.issue(cta.up_walk(blockCount, phase), Shape::kUpBlocks, cta.arguments.up, cta.routing,
                             lead(phase, Shape::kLead));
        if constexpr (Shape::kDownBlocks > 0) {
            const typename Shape::DownWork work = cta.down_work(blockCount);
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase)
                stream.issue(cta.down_walk(work, phase), Shape::kDownBlocks, cta.arguments.down, cta.routing,
                             lead(phase, Shape::kUpBlocks > 0 ? Shape::kMiddle : Shape::kLead));
        }
        stream.end();
    }
};

template <class Shape>
struct StreamInputCopier {
    typedef typename Shape::Ring Ring;
    static constexpr bool kHasUp = Shape::kUpBlocks > 0, kHasDown = Shape::kDownBlocks > 0;

    const StreamCta<Shape>& cta;

    DEVICE void run() const {
        const u32 blockCount = cta.block_count(), index = threadIdx.x / 32 - Shape::kInputCopier;
        StreamState* state = cta.arguments.state;
        InputCursor<Ring::stages, Shape::kInputCopiers> cursor{{0, 0}, index};
        if constexpr (kHasUp)
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase)
                stream_inputs<true>(cta.ring, cursor, cta.up_walk(blockCount, phase), cta.arguments.up, cta.routing,
                                    wait_for_previous_kernel);
        if constexpr (!kHasDown) return;
        const u32 launch = Shape::kPackets ? load_acquire(&state->sent) + 1 : 0;
        const typename Shape::DownWork work = cta.down_work(blockCount);
#pragma unroll 1
        for (int phase = Shape::kFirstPhase; phase < 2; ++phase) {
            auto await_hidden = [&] { kHasUp ? await_units(blockCount, phase, index) : wait_for_previous_kernel(); };
            if constexpr (Shape::kPackets) {
                await_hidden();
                PacketReceiver<Ring>{cta.ring, cta.routing, cta.arguments.packets, cta.arguments.down.inputPitch,
                                     Shape::kUpBlocks * Shape::kHiddenColumns, launch}
                    .receive(cursor, cta.down_walk(work, phase));
            } else {
                stream_inputs<false>(cta.ring, cursor, cta.down_walk(work, phase), cta.arguments.down, cta.routing, await_hidden);
            }
        }
        if (!kHasUp || index > 0 || cta.lane > 0) return;
        if (count_up(&state->left, gridDim.x) < gridDim.x - 1) return;
        if (Shape::kPackets) state->sent = launch;
        state->finished[0] = state->finished[1] = 0;
    }

    /// Until all that the first product makes in a phase is in memory. One of the warps asks.
    DEVICE void await_units(u32 blockCount, int phase, u32 index) const {
        const u32 first = cta.up_cut();
        const u32 units = (phase == 0 ? first : Shape::kUpBlocks - first) * blockCount;
        if (index == 0)
            while (load_acquire(cta.arguments.state->finished + phase) < units) {}
        if (Shape::kInputCopiers > 1) barrier_named<3, 32 * Shape::kInputCopiers>();
        __syncwarp();
    }
};
