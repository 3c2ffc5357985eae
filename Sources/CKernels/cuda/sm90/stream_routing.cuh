// Router logits in the launch that needs the rows: every CTA chooses the experts of all tokens and lists the rows in its
// shared memory, with the code and the results of any/route.cu.
#pragma once
#include "common/choice.cuh"

/// Of launches that never get logits.
struct NoChoice {};

/// Rows and blocks in shared memory, from logits. `Choice`: an `ExpertChoice`.
template <class Choice, int kTokens, int kRows>
struct StreamRouting {
    static constexpr u32 kRowCount = kTokens * Choice::kTopK;
    static constexpr u32 kBlocks = kRowCount / kRows + (kRowCount < Choice::kExperts ? kRowCount : Choice::kExperts);
    static constexpr u32 kMaskRows = (kTokens + 31) / 32;
    static constexpr u32 kListBytes = 16 + 16 * kBlocks;
    static constexpr u32 bytes = (kListBytes + 8 * kRowCount + Choice::Choices::bytes(kMaskRows, kTokens) + 15) / 16 * 16;

    RowBlockList* list;
    RowOutputs rows;
    typename Choice::Choices choices;

    DEVICE StreamRouting(char* memory) : choices(memory + kListBytes + 8 * kRowCount, kMaskRows, 0, kTokens) {
        list = reinterpret_cast<RowBlockList*>(memory);
        rows.tokens = reinterpret_cast<u32*>(memory + kListBytes);
        rows.weights = reinterpret_cast<float*>(memory + kListBytes + 4 * kRowCount);
        rows.ofSlots = nullptr;
    }

    /// By all threads, after the masks have been cleared. A warp has a token.
    DEVICE void route(const char* logits, const float* biases, float factor, u32 tokenCount) const {
        const typename Choice::Router router(logits, biases, factor);
        wait_for_previous_kernel();
        for (u32 token = threadIdx.x / 32; token < tokenCount; token += blockDim.x / 32) {
            typename Choice::LaneLogits values;
            values.load(router.row(token));
            router.choose(values, token, token, choices);
        }
        __syncthreads();
        u32 counts[Choice::kLaneExperts];
        choices.count(counts);
        const typename Choice::LaneStarts starts(counts, [](u32 count) { return (count + kRows - 1) / kRows; });
        if (threadIdx.x < 32) Choice::store_blocks(counts, starts, kRows, 0, 1, list);
        Choice::store_rows(choices, nullptr, starts, 0, tokenCount, rows);
        __syncthreads();
    }
};

template <int kTokens, int kRows>
struct StreamRouting<NoChoice, kTokens, kRows> {
    static constexpr u32 bytes = 0;
};
