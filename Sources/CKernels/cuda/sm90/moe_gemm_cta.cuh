// What the warps of a CTA of the grouped GEMM share: its memory, and handing items from one to the other.
#pragma once
#include "sm90/moe_gemm_shape.cuh"

/// A CTA, as one of its threads sees it.
template <class Gemm>
struct GemmCta {
    typedef typename Gemm::Item Item;

    const MoeGemmArguments& arguments;
    char* memory;   ///< stages: activations of their slabs, then weights
    char* staging;  ///< `hidden` of an item, on its way to global memory
    char* outputs;  ///< of each warp that multiplies, on their way to global memory
    Item* items;
    typename Gemm::Barriers* barriers;
    typename Gemm::Queue* queue;
    u32 lane, warp;

    DEVICE GemmCta(const MoeGemmArguments& arguments, char* memory)
        : arguments(arguments), memory(memory), staging(memory + Gemm::kStages * Gemm::kStageBytes),
          lane(threadIdx.x % 32), warp(threadIdx.x / 32) {
        outputs = staging + Gemm::kStagings * Gemm::kStagingBytes;
        items = reinterpret_cast<Item*>(outputs + Gemm::kMultipliers * Gemm::kOutputBytes);
        barriers = reinterpret_cast<typename Gemm::Barriers*>(items + Gemm::kItems);
        queue = &barriers->queue;
    }

    /// One thread, before the others use them.
    DEVICE void init_barriers() const {
        constexpr int multipliers = Gemm::kMultipliers, copiers = Gemm::kCopiers;
        // Of items: those, the warp that copies weights, and a thread or a warp that stores `hidden`.
        constexpr int readers = (multipliers + copiers + 1) * WARP_ARRIVALS + (Gemm::kTakerStores ? WARP_ARRIVALS : 1);
        for (int i = 0; i < Gemm::kStages; ++i) {
            barrier_init(&barriers->full[i], Gemm::kGathers ? 1 + 32 * copiers : 2);
            barrier_init(&barriers->empty[i], multipliers * WARP_ARRIVALS);
        }
        for (int i = 0; i < Gemm::kItems; ++i)
            barrier_init(&barriers->itemsFull[i], WARP_ARRIVALS), barrier_init(&barriers->itemsEmpty[i], readers);
        barrier_init(&barriers->nearEnd, 1);
        barrier_init(&barriers->stagingFull, multipliers * WARP_ARRIVALS), barrier_init(&barriers->stagingEmpty, 1);
        fence_barrier_init();
    }

    /// The block of an item's weight rows that is this warpgroup's m-th.
    DEVICE u32 block(u32 perGroup, u32 m) const { return warp / 4 * perGroup + m; }

    /// The same, of whose lane and warp the compiler knows nothing: what follows from them is computed where it is used
    /// and takes no registers from the products before.
    DEVICE GemmCta with_unknown_lane() const {
        GemmCta cta = *this;
        asm volatile("" : "+r"(cta.lane), "+r"(cta.warp));
        return cta;
    }

    DEVICE char* inputs(u32 stage) const { return memory + stage * Gemm::kStageBytes; }
    DEVICE char* weights(u32 stage) const { return inputs(stage) + Gemm::kStageSlabs * Gemm::kInputBytes; }

    /// Counts the warps that have stored their sums, of the parts of a divided item.
    DEVICE u32* stored(u32 split) const { return arguments.counters + Gemm::kFirstCounter + split; }

    /// Counts the items whose part of a block's `hidden` is in memory.
    DEVICE u32* finished(u32 rowBlock) const { return arguments.counters + Gemm::kFirstCounter + gridDim.x + rowBlock; }

    DEVICE const Item& await_item(u32 index) const {
        barrier_wait(&barriers->itemsFull[index % Gemm::kItems], index / Gemm::kItems % 2);
        return items[index % Gemm::kItems];
    }

    /// By a warp whose lanes have read what they need.
    DEVICE void release_item(u32 index) const { warp_arrive(items_empty(index)); }

    DEVICE u64* items_empty(u32 index) const { return &barriers->itemsEmpty[index % Gemm::kItems]; }
};
