// How the streaming kernels divide their work and keep bytes in flight.
//
// Work is a sequence of slabs (common/tiles.cuh): for each block of 64 weight rows, for each block of token rows, the
// slabs along the contracted dimension. Every CTA takes an equal share of the sequence, so all SMs read equally many
// bytes whatever the shape. A "unit" is what one sum runs over; where a boundary between CTAs falls inside a unit, the
// CTA that has its beginning adds the parts of the CTAs that follow, in their order: the result does not depend on time.
#pragma once
#include "common/moe.cuh"
#include "common/tiles.cuh"

/// The sequence and its division among CTAs: whole units where that costs under 5%, else multiples of kGrain slabs.
/// `kCombining`: a unit is all blocks of token rows of 64 weight rows (sums over experts), else one.
template <int kSlabs, bool kCombining, int kGrain>
struct StreamWork {
    static constexpr u32 slabs = kSlabs;

    u32 firstBlock, blockCount, total;
    u32 item, each, extra;  ///< the first `extra` CTAs take each + 1 items of `item` slabs, the others `each`

    /// Of so many blocks of weight rows, from one on.
    DEVICE StreamWork(u32 firstBlock, u32 weightBlocks, u32 blockCount, u32 ctas)
        : firstBlock(firstBlock), blockCount(blockCount) {
        const u32 units = kCombining ? weightBlocks : weightBlocks * blockCount;
        total = units * unitSlabs();
        const u32 longest = (units + ctas - 1) / ctas;
        const bool whole = 20 * longest * ctas <= 21 * units;
        const u32 items = whole ? units : (total + kGrain - 1) / kGrain;
        item = whole ? unitSlabs() : kGrain;
        each = items / ctas;
        extra = items - each * ctas;
    }

    DEVICE u32 unitSlabs() const { return kCombining ? blockCount * kSlabs : kSlabs; }

    /// Where the share of `cta` begins; that of the last ends at share(ctas). Empty ones are at the end.
    DEVICE u32 share(u32 cta) const { return min(total, (cta * each + min(cta, extra)) * item); }

    /// Whether every share lies in two units.
    DEVICE bool is_within_two_units() const { return (each + (extra > 0)) * item <= unitSlabs() + 1; }
};

/// A walk through one CTA's share, in every sum only through the slabs from ..< to.
template <class Work>
struct StreamWalk {
    u32 blockCount, position, end, from, to;
    u32 weightBlock, rowBlock, first;  ///< blocks of 64 weight rows and of token rows, slab

    DEVICE StreamWalk(const Work& work, u32 cta, u32 from = 0, u32 to = Work::slabs)
        : blockCount(work.blockCount), position(work.share(cta)), end(work.share(cta + 1)), from(from), to(to) {
        const u32 sum = position / Work::slabs;
        first = position % Work::slabs;
        weightBlock = sum / blockCount;
        rowBlock = sum - weightBlock * blockCount;
        weightBlock += work.firstBlock;
        if (first >= to) next_sum();
        if (first < from) position += from - first, first = from;
        if (from >= to) position = end;
    }

    DEVICE bool remains() const { return position < end; }

    /// How many slabs lie ahead with the same weight rows and token rows, at most `limit`.
    DEVICE u32 ahead(u32 limit) const { return min(limit, min(to - first, end - position)); }

    DEVICE void advance(u32 count) {
        position += count, first += count;
        if (first >= to) next_sum();
    }

    DEVICE void next_sum() {
        position += Work::slabs - first + from;
        first = from;
        if (++rowBlock == blockCount) rowBlock = 0, ++weightBlock;
    }
};

/// A place in the ring of stages, and the parity of its barriers.
template <int kStages>
struct RingCursor {
    u32 stage, parity;

    DEVICE void advance(u32 stages = 1) {
        stage += stages;
        if (stage >= kStages) stage -= kStages, parity ^= 1;
    }
};

/// The stages in shared memory: `kChunk` slabs of weights, then the same columns of up to `kRows` activation rows.
/// The rows' pitch is 16 bytes over a multiple of 128, so that fragment loads of 16 bytes a lane meet all banks.
template <int kFormat, int kRows, int kChunk, int kStages>
struct StreamRing {
    static constexpr int stages = kStages;
    static constexpr int chunk = kChunk;
    static constexpr int format = kFormat;
    static constexpr int weightBytes = kChunk * slab_bytes(kFormat);
    static constexpr int columnBytes = SLAB_COLUMNS * 2;
    static constexpr int pitch = kChunk * columnBytes + 16;
    static constexpr int stageBytes = (weightBytes + kRows * pitch + 127) / 128 * 128;  // the copy engine writes whole lines
    static constexpr int bytes = kStages * stageBytes + (3 * 8 * kStages + 127) / 128 * 128;

    char* memory;

    DEVICE char* stage(u32 index) const { return memory + index * stageBytes; }
    DEVICE u64* weightsFull(u32 index) const { return reinterpret_cast<u64*>(memory + kStages * stageBytes) + index; }
    DEVICE u64* inputsFull(u32 index) const { return weightsFull(kStages + index); }
    DEVICE u64* empty(u32 index) const { return weightsFull(2 * kStages + index); }

    DEVICE void init(u32 consumers) const {
        for (int i = 0; i < kStages; ++i)
            barrier_init(weightsFull(i), 1), barrier_init(inputsFull(i), 32),
                barrier_init(empty(i), consumers * WARP_ARRIVALS);
        fence_barrier_init();
    }
};

/// The weights and activation rows of one product.
struct StreamOperands {
    const char* weights;  ///< [experts][weight blocks][slabs] slabs
    const u16* inputs;    ///< BF16 [.., inputPitch], columns beyond the matrix's own are zero
    u32 inputPitch;
};

/// What launches that follow each other on one device leave in memory. Zero at first; all have the same number of CTAs.
struct StreamState {
    static constexpr u32 launches = 1 << 16;  ///< after so many, the first two counts begin again

    /// CTAs that have begun, of all launches.
    u32 begun;
    /// CTAs that have issued the last copy of their weights, of all launches.
    alignas(128) u32 issued;
    /// Units of a first product that are in memory, of the launch that runs and of each phase.
    alignas(128) u32 finished[2];
    /// CTAs that no longer look at `finished` or `sent`.
    alignas(128) u32 left;
    /// Launches before the one that runs which sent packets.
    u32 sent;
};

/// Issues the copies of a share's weights, by one thread, as soon as their stages are free. At most kInFlight chunks are on
/// their way at once: what more would wait in the memory system's queues, and all other traffic behind it.
template <class Ring, int kInFlight>
struct WeightStream {
    const Ring& ring;
    StreamState* state;
    RingCursor<Ring::stages> next{0, 0}, arriving{0, 0};
    int inFlight = 0;
    u32 number;

    /// Counts this CTA, then lets the next kernel begin: its CTAs find room on each SM beside this kernel's.
    DEVICE void begin() {
        number = count_up(&state->begun, gridDim.x * StreamState::launches);
        if (number != ~0u) launch_next_kernel();
    }

    /// Waits until the launch before has nothing left to issue.
    DEVICE void wait_for_turn() const {
        const u32 all = gridDim.x * StreamState::launches, before = number - number % gridDim.x;
        u32 ahead;
        do {
            __nanosleep(100);
            const u32 now = load_acquire(&state->issued);
            ahead = now >= before ? now - before : now + (all - before);
        } while (ahead > all / 2);
    }

    DEVICE void end() const { count_up(&state->issued, gridDim.x * StreamState::launches); }

    /// Waits until less than `limit` chunks are on their way and the next stage is free, and tells its barrier how much comes.
    /// Returns the stage.
    DEVICE u32 open_stage(int limit, u32 bytes) {
        for (; inFlight >= limit; --inFlight) {
            barrier_wait(ring.weightsFull(arriving.stage), arriving.parity);
            arriving.advance();
        }
        const u32 stage = next.stage;
        barrier_wait(ring.empty(stage), next.parity ^ 1);
        barrier_arrive_expecting(ring.weightsFull(stage), bytes);
        next.advance(), ++inFlight;
        return stage;
    }

    /// `lead`: the bound on those that only fill the ring, while the traffic is the end of what came before.
    template <class Work>
    DEVICE void issue(StreamWalk<Work> walk, int weightBlocks, const StreamOperands& operands, const Routing& routing,
                      int lead) {
        const u64 policy = evict_first_policy();
        for (int issued = 0; walk.remains(); ++issued) {
            const u32 count = walk.ahead(Ring::chunk), bytes = count * slab_bytes(Ring::format);
            const u32 expert = routing.list->blocks[walk.rowBlock].expert;
            const u64 slab = ((u64)expert * weightBlocks + walk.weightBlock) * Work::slabs + walk.first;
            const u32 stage = open_stage(issued < Ring::stages ? lead : kInFlight, bytes);
            bulk_copy(ring.stage(stage), operands.weights + slab * slab_bytes(Ring::format), bytes, ring.weightsFull(stage),
                      policy);
            walk.advance(count);
        }
    }
};

/// A warp's place among those that bring activation rows: they take turns at chunks.
template <int kStages, int kWarps>
struct InputCursor {
    RingCursor<kStages> ring;
    u32 untilTurn;  ///< chunks until this warp's next

    /// Goes on to the next chunk; whether this one is the warp's.
    DEVICE bool takes() {
        if (kWarps == 1) return true;
        const bool isMine = untilTurn == 0;
        untilTurn = isMine ? kWarps - 1 : untilTurn - 1;
        return isMine;
    }
};

/// Issues the copies of a share's activation rows, by some warps, once `ready` returns. `kGather`: row r of the list is row
/// token(r) of the inputs.
template <bool kGather, class Ring, class Cursor, class Work, class Ready>
DEVICE void stream_inputs(const Ring& ring, Cursor& cursor, StreamWalk<Work> walk, const StreamOperands& operands,
                          const Routing& routing, Ready ready) {
    const u32 lane = threadIdx.x % 32;
    bool waited = false;
    u32 rowBlock = ~0u;
    RowBlock block;
    auto row_start = [&](u32 row) {
        return reinterpret_cast<const char*>(operands.inputs +
                                             (u64)(kGather ? row_token(routing, row) : row) * operands.inputPitch);
    };
    const char *inputs, *further;  // this lane's row of the block, and the one 32 further on
    for (; walk.remains(); cursor.ring.advance()) {
        const u32 count = walk.ahead(Ring::chunk), begin = walk.first, currentBlock = walk.rowBlock;
        walk.advance(count);
        if (!cursor.takes()) continue;
        if (currentBlock != rowBlock) {
            rowBlock = currentBlock;
            block = routing.list->blocks[rowBlock];
            inputs = row_start(block.firstRow + min(lane, block.rowCount - 1));
            further = row_start(block.firstRow + min(lane + 32, block.rowCount - 1));
        }
        if (!waited) ready(), waited = true;
        barrier_wait(ring.empty(cursor.ring.stage), cursor.ring.parity ^ 1);
        char* stage = ring.stage(cursor.ring.stage) + Ring::weightBytes;
        for (u32 row = 0; row < block.rowCount; ++row) {
            const u64 source = __shfl_sync(~0u, (u64)(row < 32 ? inputs : further), row % 32) + begin * Ring::columnBytes;
            for (u32 byte = lane * 16; byte < count * Ring::columnBytes; byte += 512)
                copy_16(stage + row * Ring::pitch + byte, reinterpret_cast<const char*>(source) + byte);
        }
        barrier_arrive_after_copies(ring.inputsFull(cursor.ring.stage));
    }
    if (!waited) ready();
}
