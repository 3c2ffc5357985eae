// The warps of a streaming CTA that copy: one weights, some the activation rows that belong to them.
#pragma once
#include "sm90/stream_gathered.cuh"

template <class Shape>
struct StreamWeightCopier {
    const StreamCta<Shape>& cta;
    WeightStream<typename Shape::Ring, Shape::kInFlight> stream;

    DEVICE StreamWeightCopier(const StreamCta<Shape>& cta) : cta(cta), stream{cta.ring, cta.arguments.state} {}

    DEVICE void begin() { stream.begin(); }

    /// By an elected lane: addresses of copies then are computed in uniform registers.
    DEVICE void run() {
        const u32 blockCount = cta.block_count();
        if (cta.isEarly) stream.wait_for_turn();
        auto lead = [](int phase, int first) { return phase == Shape::kFirstPhase ? first : Shape::kInFlight; };
        if constexpr (Shape::kUpBlocks > 0)
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase)
                stream.issue(cta.up_walk(blockCount, phase), Shape::kUpBlocks, cta.arguments.up, cta.routing,
                             lead(phase, Shape::kLead));
        if constexpr (Shape::kGatheredRows > 0) {
            StreamGathered<Shape>(cta, blockCount).issue(stream);
        } else if constexpr (Shape::kDownBlocks > 0) {
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
        if constexpr (Shape::kGatheredRows > 0) {
            await_units(blockCount, 1, index);
            const StreamGathered<Shape> gathered(cta, blockCount);
            if (index == 0 && cta.lane == 0) gathered.announce(launch);
            gathered.receive();
        } else {
            copy_hidden(cursor, blockCount, index, launch);
        }
        if (!kHasUp || index > 0 || cta.lane > 0) return;
        // What is counted late must not count in the next launch.
        if (Shape::kGatheredRows > 0) await_count(unit_count(blockCount, 1), 1);
        if (count_up(&state->left, gridDim.x) < gridDim.x - 1) return;
        if (Shape::kPackets) state->sent = launch;
        state->finished[0] = state->finished[1] = 0;
    }

    /// Chunk by chunk, into the ring.
    template <class InputCursor>
    DEVICE void copy_hidden(InputCursor& cursor, u32 blockCount, u32 index, u32 launch) const {
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
                stream_inputs<false>(cta.ring, cursor, cta.down_walk(work, phase), cta.arguments.down, cta.routing,
                                     await_hidden);
            }
        }
    }

    /// What the first product counts in a phase.
    DEVICE u32 unit_count(u32 blockCount, int phase) const {
        const u32 first = cta.up_cut();
        return (phase == 0 ? first : Shape::kUpBlocks - first) * blockCount;
    }

    DEVICE void await_count(u32 count, int phase) const {
        while (load_acquire(cta.arguments.state->finished + phase) < count) {}
    }

    /// Until all that the first product makes in a phase is in memory: the first warp asks, and tells the others. Where rows
    /// are gathered, until most of it is: packets tell for themselves, and by the time that the first are here, the last have
    /// been sent.
    DEVICE void await_units(u32 blockCount, int phase, u32 index) const {
        const u32 units = unit_count(blockCount, phase);
        u64* known = cta.exchange + 4 + phase;
        if (index > 0) return barrier_wait(known, 0);
        await_count(Shape::kGatheredRows > 0 ? units - units / 8 : units, phase);
        if (Shape::kInputCopiers > 1) warp_arrive(known);
    }
};
