// Router logits in the launch that needs the rows: every CTA chooses the experts of all tokens and lists the rows in its
// shared memory, with the code and the results of any/route.cu.
#pragma once
#include "common/grouping.cuh"

/// Of launches that never get logits.
struct NoChoice {};

/// Rows and blocks in shared memory, from logits. `Choice`: an `ExpertChoice`.
template <class Choice, int kTokens, int kRows>
struct StreamRouting {
    typedef RowGrouping<Choice> Grouping;
    typedef typename Choice::Router Router;
    typedef typename Choice::LaneChoice LaneChoice;
    static constexpr u32 kRowCount = kTokens * Choice::kTopK;
    static constexpr u32 kBlocks = kRowCount / kRows + (kRowCount < Choice::kExperts ? kRowCount : Choice::kExperts);
    /// Whether one warp lists all rows: it has a lane for each, and those of an expert are one block. For more tokens than
    /// four it gains nothing, and takes registers that there are not.
    static constexpr bool kAreFew = kRowCount <= 32 && kTokens <= kRows && kTokens <= 4;
    static constexpr u32 kMaskRows = (kTokens + 31) / 32;
    static constexpr u32 kListBytes = 16 + 16 * kBlocks;
    static constexpr u32 bytes = (kListBytes + 8 * kRowCount + Grouping::Choices::bytes(kMaskRows, kTokens) + 15) / 16 * 16;

    RowBlockList* list;
    RowOutputs rows;
    typename Grouping::Choices choices;

    DEVICE StreamRouting(char* memory) : choices(memory + kListBytes + 8 * kRowCount, kMaskRows, 0, kTokens) {
        list = reinterpret_cast<RowBlockList*>(memory);
        rows.tokens = reinterpret_cast<u32*>(memory + kListBytes);
        rows.weights = reinterpret_cast<float*>(memory + kListBytes + 4 * kRowCount);
        rows.ofSlots = nullptr;
    }

    /// Of few tokens: that all have chosen, and that rows are listed. In the place of the masks, which they have no use for.
    DEVICE u64* chosen() const { return reinterpret_cast<u64*>(choices.masks); }
    DEVICE u64* listed() const { return chosen() + 1; }

    /// Of few tokens, by one thread.
    DEVICE void init_barriers() const {
        if (kTokens > 1) barrier_init(chosen(), (kTokens - 1) * WARP_ARRIVALS);
        barrier_init(listed(), WARP_ARRIVALS);
    }

    /// By a warp, the experts of a token.
    DEVICE LaneChoice choose(const Router& router, u32 token) const {
        typename Choice::LaneLogits values;
        values.load(router.row(token));
        return router.choose(values, token, choices.experts_of(token));
    }

    /// By one warp, the lane t * kTopK + i with the expert in slot i of token t.
    DEVICE void list_rows(const LaneChoice& choice, u32 tokenCount) const {
        const u32 lane = Choice::lane(), rowCount = tokenCount * Choice::kTopK;
        const u32 expert = lane < rowCount ? choice.expert : ~0u;
        u32 lower = 0, same = 0;  // lanes with lower experts, and with this one
#pragma unroll
        for (u32 other = 0; other < kRowCount; ++other) {
            const u32 otherExpert = __shfl_sync(ALL_LANES, expert, other);
            lower |= (u32)(otherExpert < expert) << other;
            same |= (u32)(otherExpert == expert) << other;
        }
        const u32 before = same & ((1u << lane) - 1), firstRow = __popc(lower);
        const bool isFirst = lane < rowCount && before == 0;
        const u32 firsts = __ballot_sync(ALL_LANES, isFirst);
        if (isFirst) list->blocks[__popc(lower & firsts)] = {expert, firstRow, (u32)__popc(same), 0};
        if (lane < rowCount) {
            const u32 row = firstRow + __popc(before);
            rows.tokens[row] = lane / Choice::kTopK;
            rows.weights[row] = choice.weight;
        }
        if (lane == 0) list->count = __popc(firsts);
        __syncwarp();
    }

    /// By all threads, after the masks have been cleared. A warp has a token.
    DEVICE void route(const char* logits, const float* biases, float factor, u32 tokenCount) const {
        const Router router(logits, biases, factor);
        wait_for_previous_kernel();
        for (u32 token = threadIdx.x / 32; token < tokenCount; token += blockDim.x / 32) {
            const LaneChoice choice = choose(router, token);
            choices.store(token, choice);
            choices.mark(token, choice);
        }
        __syncthreads();
        u32 counts[Choice::kLaneExperts];
        choices.count(counts);
        const typename Grouping::LaneStarts starts(counts, [](u32 count) { return (count + kRows - 1) / kRows; });
        if (threadIdx.x < 32) Grouping::store_blocks(counts, starts, kRows, 0, 1, list);
        Grouping::store_rows(choices, nullptr, starts, 0, tokenCount, rows);
        __syncthreads();
    }
};

template <int kTokens, int kRows>
struct StreamRouting<NoChoice, kTokens, kRows> {
    static constexpr u32 bytes = 0;
};
