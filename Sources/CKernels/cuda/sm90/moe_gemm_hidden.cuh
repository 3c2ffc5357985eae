// Storing `hidden`, shared to global, by a thread of its own or, where two warps copy activations, by the warp
// that takes items, while it waits.
#pragma once
#include "sm90/moe_gemm_cta.cuh"

/// Stores an item's rows, and tells all CTAs when they are in memory. One thread.
template <class Gemm>
DEVICE void store_hidden(const GemmCta<Gemm>& cta, const typename Gemm::Item& item) {
    const u32 bytes = slot_count(item.rowCount) * PACKED_BYTES;
    const u32 slab = Gemm::kGated ? item.weightBlock / 2 : item.weightBlock;
    const u32 slabs = Gemm::kGated ? (item.blocks + 1) / 2 : item.blocks;
    const MoeGemmArguments& arguments = cta.arguments;
    char* hidden = arguments.hidden + ((u64)slab * arguments.slots + item.slot) * PACKED_BYTES;
#pragma unroll
    for (int i = 0; i < Gemm::kStagings; ++i)
        if (i < slabs) bulk_store(hidden + (u64)i * arguments.slots * PACKED_BYTES, cta.staging + i * Gemm::kStagingBytes, bytes);
    bulk_store_commit();
    bulk_store_wait_read();
    barrier_arrive(&cta.barriers->stagingEmpty);
    bulk_store_wait();
    fence_async();
    if (Gemm::kDownGroups > 0) add_release(cta.finished(item.rowBlock), 1);
}

/// The thread that does nothing else.
template <class Gemm>
DEVICE void store_hidden(const GemmCta<Gemm>& cta) {
    for (u32 index = 0;; ++index) {
        const typename Gemm::Item& item = cta.await_item(index);
        if (item.blocks == 0) return;
        if (Gemm::kUpBlocks > 0 && item.up) {
            barrier_wait(&cta.barriers->stagingFull, item.staging);
            store_hidden(cta, item);
        }
        barrier_arrive(cta.items_empty(index));
    }
}

/// The warp that takes items: passes over the items [stored, taken) whose rows are in memory, or are not of the first
/// product; stores the first other one's if they are complete.
template <class Gemm>
DEVICE void store_hidden(const GemmCta<Gemm>& cta, u32& stored, u32 taken) {
    if (!Gemm::kTakerStores || stored == taken) return;
    const typename Gemm::Item& item = cta.items[stored % Gemm::kItems];
    if (Gemm::kUpBlocks > 0 && item.up) {
        if (!__any_sync(~0u, barrier_poll(&cta.barriers->stagingFull, item.staging))) return;
        if (cta.lane == 0) store_hidden(cta, item);
    }
    cta.release_item(stored);
    ++stored;
}

/// Waits at a barrier, and stores meanwhile what there is.
template <class Gemm>
DEVICE void wait_storing(const GemmCta<Gemm>& cta, u64* barrier, u32 parity, u32& stored, u32 taken) {
    if constexpr (Gemm::kTakerStores)
        while (!__any_sync(~0u, barrier_poll(barrier, parity))) {
            store_hidden(cta, stored, taken);
            __nanosleep(200);
        }
    else
        barrier_wait(barrier, parity);
}
