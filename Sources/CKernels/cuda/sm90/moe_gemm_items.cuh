// The warp that takes items from the queue and says what they are.
#pragma once
#include "sm90/moe_gemm_hidden.cuh"

/// How many lanes from the first on say yes.
DEVICE u32 leading(bool yes) {
    const u32 no = ~__ballot_sync(~0u, yes);
    return no == 0 ? 32 : __ffs(no) - 1;
}

/// The blocks of one expert around `index`: [first, end).
DEVICE void blocks_of_expert(const RowBlockList* list, u32 index, u32 count, u32& first, u32& end) {
    first = 0, end = count;
    if (!list) return;
    const RowBlock* blocks = list->blocks;
    const u32 expert = blocks[index].expert, lane = threadIdx.x % 32;
    first = index, end = index + 1;
    for (u32 same = 32; same == 32 && first > 0; first -= same)
        same = leading(first > lane && blocks[first - 1 - lane].expert == expert);
    for (u32 same = 32; same == 32 && end < count; end += same)
        same = leading(end + lane < count && blocks[end + lane].expert == expert);
}

/// The weights and tokens of an item's rows.
template <class Gemm>
DEVICE void fill_rows(const GemmCta<Gemm>& cta, typename Gemm::Item& item, const RowBlock& block, bool up) {
    const MoeGemmArguments& arguments = cta.arguments;
    for (u32 row = cta.lane; row < Gemm::kRows; row += 32) {
        const u32 source = block.firstRow + min(row, block.rowCount - 1);
        item.weights[row] = up == (arguments.weightsRowsOnInput != 0) ? row_weight(arguments.routing, source) : 1.0f;
        item.targets[row] = up || Gemm::kOneRow ? row_token(arguments.routing, source) : source;
    }
}

/// The global scales of an item's products.
template <class Gemm>
DEVICE void fill_scales(const GemmCta<Gemm>& cta, typename Gemm::Item& item, u32 expert, bool up) {
    float2 scales = make_float2(1, 1);
    if (up && cta.arguments.upScales) scales = cta.arguments.upScales[expert];
    if (!up && cta.arguments.downScales) scales.x = cta.arguments.downScales[expert];
    item.scales[0] = scales.x * accumulator_factor(Gemm::kFormat);
    item.scales[1] = scales.y * accumulator_factor(Gemm::kFormat);
}

/// What the item of a number is. `staged` counts those of the first product.
template <class Gemm>
DEVICE void fill_item(const GemmCta<Gemm>& cta, typename Gemm::Item& item, u32 number, u32& staged) {
    const typename Gemm::Queue& queue = *cta.queue;
    const u32 count = queue.rowBlocks, lane = cta.lane;
    u32 split = 0, part = 0, parts = 1, shares = 0;
    if (number >= queue.whole) {
        number -= queue.whole, parts = queue.parts;
        const bool adds = number >= queue.divided * parts;
        if (adds) number -= queue.divided * parts, shares = queue.shares;
        split = number / (adds ? shares : parts), part = number - split * (adds ? shares : parts);
        number = queue.whole + split;
    }
    const bool up = number < Gemm::kUpGroups * count;
    const u32 slabs = up ? Gemm::kUpSlabs : Gemm::kDownSlabs, firstSlab = slabs * part / parts;
    if (lane == 0) {
        item.up = up, item.staging = staged % 2, item.split = split, item.part = part, item.parts = parts;
        item.firstSlab = firstSlab, item.slabs = shares > 0 ? 0 : slabs * (part + 1) / parts - firstSlab;
        item.shares = shares;
    }
    if (up) ++staged;
    else number -= Gemm::kUpGroups * count;
    const u32 groups = up ? Gemm::kUpGroups : Gemm::kDownGroups;
    u32 first, end;
    blocks_of_expert(cta.arguments.routing.list, number / groups, count, first, end);
    const u32 within = number - first * groups, group = within / (end - first);
    const u32 rowBlock = first + within - group * (end - first);
    const RowBlock block = row_block(cta.arguments.routing, rowBlock, cta.arguments.tokenExpert,
                                     cta.arguments.tokenCount, Gemm::kRows);
    fill_rows(cta, item, block, up);
    if (lane == 0) {
        item.expert = block.expert, item.weightBlock = group * Gemm::kBlocks, item.rowBlock = rowBlock;
        item.blocks = min(Gemm::kBlocks, (up ? Gemm::kUpBlocks : Gemm::kDownBlocks) - (int)item.weightBlock);
        item.slot = first_slot(block, rowBlock), item.rowCount = block.rowCount;
        fill_scales(cta, item, block.expert, up);
    }
    __syncwarp();
}

/// Waits until a counter has reached a count; stores `hidden` meanwhile.
template <class Gemm>
DEVICE void wait_for_count(const GemmCta<Gemm>& cta, const u32* counter, u32 count, u32& stored, u32 taken) {
    while (same_in_all(load_acquire(counter)) != count) {
        store_hidden(cta, stored, taken);
        __nanosleep(64);
    }
}

/// Waits until what an item of the second product reads is in memory.
template <class Gemm>
DEVICE void wait_for_operands(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, u32& stored, u32 taken) {
    if (same_in_all(item.shares) > 0) {
        const u32 count = cta.queue->parts * Gemm::kMultipliers;
        wait_for_count(cta, cta.stored(same_in_all(item.split)), count, stored, taken);
    } else if (Gemm::kUpGroups > 0 && !same_in_all(item.up)) {
        wait_for_count(cta, cta.finished(same_in_all(item.rowBlock)), Gemm::kUpGroups, stored, taken);
        fence_async();
    }
}

template <class Gemm>
DEVICE void take_items(const GemmCta<Gemm>& cta) {
    typename Gemm::Queue* queue = cta.queue;
    const MoeGemmArguments& arguments = cta.arguments;
    if (cta.lane == 0) queue->fill(block_count(arguments.routing, arguments.tokenCount, Gemm::kRows));
    __syncwarp();
    u32 staged = 0, stored = 0;
    for (u32 taken = 0;; ++taken) {
        if (taken > 0) wait_storing(cta, &cta.barriers->nearEnd, (taken - 1) % 2, stored, taken);
        u64* empty = &cta.barriers->itemsEmpty[taken % Gemm::kItems];
        wait_storing(cta, empty, taken / Gemm::kItems % 2 ^ 1, stored, taken);
        typename Gemm::Item& item = cta.items[taken % Gemm::kItems];
        u32 number = 0;
        if (cta.lane == 0) number = take_number(arguments.counters, queue->total + gridDim.x);
        number = same_in_all(number);
        const bool remains = number < queue->total;
        if (remains) {
            fill_item(cta, item, number, staged);
            wait_for_operands(cta, item, stored, taken);
        } else if (cta.lane == 0) {
            item.blocks = 0;
        }
        // Whoever takes the last number knows that all others have waited for the last time.
        if (number == queue->total + gridDim.x - 1) {
            for (u32 block = cta.lane; block < queue->rowBlocks; block += 32) *cta.finished(block) = 0;
            for (u32 split = cta.lane; split < queue->divided; split += 32) *cta.stored(split) = 0;
        }
        warp_arrive(&cta.barriers->itemsFull[taken % Gemm::kItems]);
        if (remains) continue;
        while (Gemm::kTakerStores && stored < taken) store_hidden(cta, stored, taken);
        return;
    }
}
