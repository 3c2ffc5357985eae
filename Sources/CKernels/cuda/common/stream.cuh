// How the streaming kernels divide their work and keep bytes in flight.
//
// Work is a sequence of slabs (common/tiles.cuh): for each block of 64 weight rows, for each block of token rows, the
// slabs along the contracted dimension. Every CTA takes an equal share of the sequence, so all SMs read equally many
// bytes whatever the shape. A "unit" is what one sum runs over; where a boundary between CTAs falls inside a unit, the
// CTA that has its beginning adds the parts of the CTAs that follow, in their order: the result does not depend on time.
#pragma once
#include "moe.cuh"
#include "tiles.cuh"

/// `combining`: a unit is all blocks of token rows of 64 weight rows (sums over experts), else one.
template <int kRowBlocks, int kSlabs, bool kCombining>
struct StreamWork {
    static constexpr u32 slabs = kSlabs;
    static constexpr u32 grain = 4;  ///< shares are multiples of so many slabs

    u32 blockCount;

    DEVICE u32 unitSlabs() const { return kCombining ? blockCount * kSlabs : kSlabs; }
    DEVICE u32 unitCount() const { return kCombining ? kRowBlocks : kRowBlocks * blockCount; }

    /// Where the share of `cta` begins; that of the last ends at share(ctas). Whole units where that costs under 5%.
    DEVICE u32 share(u32 cta, u32 ctas) const {
        const u32 units = unitCount(), longest = (units + ctas - 1) / ctas;
        if (20ull * longest * ctas <= 21ull * units) return (u32)((u64)units * cta / ctas) * unitSlabs();
        const u32 total = units * unitSlabs();
        return cta == ctas ? total : (u32)((u64)total * cta / ctas) / grain * grain;
    }
};

/// Slabs first ..< last of one block of weight rows and one block of token rows.
struct Span {
    u32 weightBlock, rowBlock, first, last;

    DEVICE u32 count() const { return last - first; }
};

/// The span at `position`, cut at `end`.
template <class Work>
DEVICE Span span_at(const Work& work, u32 position, u32 end) {
    const u32 sum = position / Work::slabs, first = position % Work::slabs;
    const u32 weightBlock = sum / work.blockCount;
    return {weightBlock, sum - weightBlock * work.blockCount, first, min(Work::slabs, first + end - position)};
}

/// A place in the ring of stages, and the parity of its barrier.
template <int kStages>
struct RingCursor {
    u32 stage = 0, parity = 0;

    DEVICE void advance() {
        if (++stage == kStages) stage = 0, parity ^= 1;
    }
};

/// The stages in shared memory: `kChunk` slabs of weights, then the same columns of up to `kRows` activation rows.
/// The rows' pitch is an odd multiple of 64 bytes, so that fragment loads of 16 bytes a lane meet all banks.
template <int kFormat, int kRows, int kChunk, int kStages>
struct StreamRing {
    static constexpr int stages = kStages;
    static constexpr int chunk = kChunk;
    static constexpr int rows = kRows;
    static constexpr int format = kFormat;
    static constexpr int weightBytes = kChunk * slab_bytes(kFormat);
    static constexpr int columnBytes = SLAB_COLUMNS * 2;
    static constexpr int pitch = kChunk * columnBytes + 64;
    static constexpr int stageBytes = weightBytes + kRows * pitch;
    static constexpr int barrierBytes = 2 * 8 * kStages;
    static constexpr int bytes = kStages * stageBytes + (barrierBytes + 127) / 128 * 128;

    char* memory;

    DEVICE char* stage(u32 index) const { return memory + index * stageBytes; }
    DEVICE u64* full(u32 index) const { return reinterpret_cast<u64*>(memory + kStages * stageBytes) + index; }
    DEVICE u64* empty(u32 index) const { return full(kStages + index); }

    DEVICE void init(u32 consumers) const {
        for (int i = 0; i < kStages; ++i) barrier_init(full(i), 1), barrier_init(empty(i), consumers);
        fence_barrier_init();
    }
};

/// The weights and activation rows of one product.
struct StreamOperands {
    const char* weights;  ///< [experts][weight blocks][slabs] slabs
    const u16* inputs;    ///< BF16 [.., inputPitch], columns beyond the matrix's own are zero
    u32 inputPitch;
};

/// Issues the copies of one share, by one warp: the weights as soon as their stage is free, the activations from the
/// moment `inputsReady` returns. Until then the ring fills with weights.
template <class Ring, class Work, bool kGather, class Ready>
DEVICE void stream_in(const Ring& ring, RingCursor<Ring::stages>& cursor, const Work& work, int weightBlocks, u32 begin,
                      u32 end, const StreamOperands& operands, const Routing& routing, Ready inputsReady) {
    const int lane = threadIdx.x % 32;
    const u64 once = evict_first_policy(), often = evict_last_policy();
    RingCursor<Ring::stages> inputCursor = cursor;
    u32 position = begin, inputPosition = begin;

    auto chunk_at = [&](u32 at) {
        Span span = span_at(work, at, end);
        span.last = min(span.last, span.first + Ring::chunk);
        return span;
    };
    auto issue_weights = [&] {
        const Span span = chunk_at(position);
        const RowBlock block = routing.blocks[span.rowBlock];
        barrier_wait(ring.empty(cursor.stage), cursor.parity ^ 1);
        if (lane == 0) {
            const u32 bytes = span.count() * slab_bytes(Ring::format);
            const u64 slab = ((u64)block.expert * weightBlocks + span.weightBlock) * Work::slabs + span.first;
            barrier_arrive_expecting(ring.full(cursor.stage),
                                     bytes + block.rowCount * span.count() * Ring::columnBytes);
            bulk_copy(ring.stage(cursor.stage), operands.weights + slab * slab_bytes(Ring::format), bytes,
                      ring.full(cursor.stage), once);
        }
        __syncwarp();
        position += span.count();
        cursor.advance();
    };
    auto issue_inputs = [&] {
        const Span span = chunk_at(inputPosition);
        const RowBlock block = routing.blocks[span.rowBlock];
        for (u32 row = lane; row < block.rowCount; row += 32) {
            const u32 source = kGather ? row_token(routing, block.firstRow + row) : block.firstRow + row;
            bulk_copy(ring.stage(inputCursor.stage) + Ring::weightBytes + row * Ring::pitch,
                      operands.inputs + (u64)source * operands.inputPitch + span.first * SLAB_COLUMNS,
                      span.count() * Ring::columnBytes, ring.full(inputCursor.stage), often);
        }
        inputPosition += span.count();
        inputCursor.advance();
    };

    for (int lead = 0; lead < Ring::stages && position < end; ++lead) issue_weights();
    inputsReady();
    while (inputPosition < position) issue_inputs();
    while (position < end) issue_weights(), issue_inputs();
}
