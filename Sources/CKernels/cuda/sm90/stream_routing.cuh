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
    static constexpr u32 kRowCount = kTokens * Choice::kTopK;
    static constexpr u32 kBlocks = kRowCount / kRows + (kRowCount < Choice::kExperts ? kRowCount : Choice::kExperts);
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

    /// By one warp, of one token: its experts have a row each.
    DEVICE void route_one(const char* logits, const float* biases, float factor) const {
        const typename Choice::Router router(logits, biases, factor);
        wait_for_previous_kernel();
        typename Choice::LaneLogits values;
        values.load(router.row(0));
        const typename Choice::LaneChoice choice = router.choose(values, 0, choices.experts);
        u32 row = 0;
#pragma unroll
        for (u32 slot = 0; slot < Choice::kTopK; ++slot) row += __shfl_sync(ALL_LANES, choice.expert, slot) < choice.expert;
        if (Choice::lane() < Choice::kTopK) {
            list->blocks[row] = {choice.expert, row, 1, 0};
            rows.tokens[row] = 0;
            rows.weights[row] = choice.weight;
        }
        if (Choice::lane() == 0) list->count = Choice::kTopK;
        __syncwarp();
    }

    /// By all threads, after the masks have been cleared. A warp has a token.
    DEVICE void route(const char* logits, const float* biases, float factor, u32 tokenCount) const {
        const typename Choice::Router router(logits, biases, factor);
        wait_for_previous_kernel();
        for (u32 token = threadIdx.x / 32; token < tokenCount; token += blockDim.x / 32) {
            typename Choice::LaneLogits values;
            values.load(router.row(token));
            choices.store(token, router.choose(values, token, choices.experts_of(token)));
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
