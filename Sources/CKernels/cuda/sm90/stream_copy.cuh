// The two warps of a streaming CTA that copy: one thread weights, a warp the activation rows that belong to them.
#pragma once
#include "sm90/stream_cta.cuh"

template <class Shape>
struct StreamWeightCopier {
    const StreamCta<Shape>& cta;
    WeightStream<typename Shape::Ring, Shape::kInFlight, Shape::kLead, Shape::kMiddle> stream;

    DEVICE StreamWeightCopier(const StreamCta<Shape>& cta) : cta(cta), stream{cta.ring, cta.arguments.state} {}

    DEVICE void begin() { stream.begin(); }

    DEVICE void run() {
        const u32 blockCount = cta.block_count();
        if (cta.isEarly) stream.wait_for_turn();
        if (Shape::kUpBlocks > 0) stream.issue(cta.up_work(blockCount), Shape::kUpBlocks, cta.arguments.up, cta.routing);
        if (Shape::kDownBlocks > 0)
            stream.issue(cta.down_work(blockCount), Shape::kDownBlocks, cta.arguments.down, cta.routing);
        stream.end();
    }
};

template <class Shape>
struct StreamInputCopier {
    typedef typename Shape::Ring Ring;
    static constexpr bool kHasUp = Shape::kUpBlocks > 0, kHasDown = Shape::kDownBlocks > 0;

    const StreamCta<Shape>& cta;

    DEVICE void run() const {
        const u32 blockCount = cta.block_count();
        StreamState* state = cta.arguments.state;
        typename Shape::Cursor cursor{0, 0};
        if (kHasUp)
            stream_inputs<Ring, typename Shape::UpWork, true>(cta.ring, cursor, cta.up_work(blockCount), cta.arguments.up,
                                                              cta.routing, wait_for_previous_kernel);
        if (kHasDown)
            stream_inputs<Ring, typename Shape::DownWork, false>(
                cta.ring, cursor, cta.down_work(blockCount), cta.arguments.down, cta.routing, [&] {
                    if (!kHasUp) return wait_for_previous_kernel();
                    const u32 units = Shape::kUpBlocks * blockCount;
                    while (load_acquire(&state->finished) < units) {}
                    __syncwarp();
                });
        if (kHasUp && kHasDown && cta.lane == 0 && take_number(&state->left, gridDim.x) == gridDim.x - 1)
            store_release(&state->finished, 0);
    }
};
