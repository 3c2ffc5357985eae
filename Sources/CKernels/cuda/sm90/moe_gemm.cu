// The experts of an MoE layer for many tokens an expert, and any linear layer for many tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[r, :]      = weight(r) · (down · hidden[r, :])                     down [E, H, I]
//   output[t, :] = residual[t, :] + Σ y[r, :] over the rows r of token t: here where a token has one row, else by
//                  any/moe_combine.cu
//
// Data flow   weights: global → shared (bulk copies) → registers → BF16 fragments, the A operand of wgmma; activations,
//             packed by any/moe_pack.cu: global → shared (bulk copies, or 16 bytes a thread), the B operand; FP32 sums in registers. The first
//             product's epilogue makes `hidden` in the same packed layout, shared → global by bulk copies.
// Work        an item is 4 blocks of 64 weight rows x one block of up to kRows token rows, all slabs; two warpgroups take
//             two of the four each, with as many token columns as the block needs
//             (16, 32, 48, 64, 80, 96 or 128). Items of both products are one queue,
//             ordered by expert, weight rows, token rows: an expert's weights come from memory once. CTAs take numbers
//             from the queue; an item of the second product waits for its token rows' `hidden`, which are ahead in the
//             queue. The last items' slabs are divided among CTAs, so that all have work until the end: the last to
//             finish a part adds them up. A sum has one order whoever computes it, so results repeat bit for bit.
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, from memory once, from L2 once for every block
//             of token rows; the activations of a block once for every 256 weight rows, from L2. Bound by memory up to
//             some 32 rows an expert, by the matrix units from some 128 on.
// Limits      kOutputs a multiple of 8; biases have zeros beyond the matrix's rows. BF16 weights are correct, but the compiler
//             waits for every product before it goes on.
// Launch      any/moe_pack.cu, then this with MoeGemm::kThreads threads, MoeGemm::kSharedBytes of dynamic shared memory and
//             as many CTAs as SMs (or fewer), then any/moe_combine.cu unless kOneRow. All may be programmatic launches, this
//             one only if the kernel before it lets it start after waiting for the one before that, as any/moe_pack.cu
//             does: the list, the weights and the counters are read without waiting.
//             kRows 64 is faster than 128 where experts have some 32 rows or fewer, kGathers where tokens have several rows
//             and experts more than that.
// Source      weight layout and arithmetic: common/tiles.cuh; activations: common/packed.cuh.
#include "common/activation.cuh"
#include "common/packed.cuh"
#include "common/tiles.cuh"
#include "common/wgmma.cuh"

struct MoeGemmArguments {
    Routing routing;          ///< a list of blocks of up to kRows rows; without one, all tokens are rows of `tokenExpert`
    const char* upWeights;    ///< slabs, gate and up rows in turns of 8 or up rows alone; unused if kUpBlocks is 0
    const char* downWeights;  ///< slabs
    const char* inputs;       ///< packed: tokens if kGathers, else rows
    char* hidden;             ///< packed rows, kDownSlabs; unused if kUpBlocks is 0
    u16* output;              ///< BF16 [T, kOutputs], or y [rows, kOutputs] unless kOneRow
    const u16* residual;      ///< BF16 [T, kOutputs], or null; only if kOneRow
    const float2* upScales;   ///< [E], global scales of gate and up; null: 1
    const float* downScales;  ///< [E]; null: 1
    const float* rowScales;   ///< [kOutputs], of the rows of one expert's down, FP8 only; null: 1
    const u16* upBiases;      ///< BF16 [E, 2, 64 kDownSlabs], gate then up (up alone in the first half), or null
    const u16* downBiases;    ///< BF16 [E, kOutputs], or null
    ActivationConstants constants;
    u32* counters;            ///< [32 + 8 · CTAs + blocks the list may hold], zero at first, and again after every launch
    float* partials;          ///< [MoeGemm::kLargestParts · CTAs][kPartFloats], sums over parts of the slabs
    u32 slots;                ///< of packed rows, slots_needed(rows, blocks) or more
    u32 tokenCount;
    u32 tokenExpert;
    u32 weightsRowsOnInput;   ///< the router weight multiplies the first product's sums, not the second's (Llama 4)
};

/// kUpBlocks, kDownBlocks: blocks of 64 weight rows; 0 leaves that product out. kUpSlabs, kDownSlabs:
/// slabs of 64 columns. kOneRow: every token has exactly one row. kRows: token rows of a block at most. kGathers: tokens
/// are gathered here, 16 bytes a thread.
template <int kFormat, int kUpBlocks, int kUpSlabs, int kDownBlocks, int kDownSlabs, int kOutputs, int kActivation,
          bool kOneRow, int kRows, bool kGathers>
struct MoeGemm {
    static_assert(kRows == 32 || kRows == 64 || kRows == 128, "a number of token columns that products exist for");
    static constexpr int kBlocks = 4;   ///< blocks of weight rows of an item
    static constexpr int kMultipliers = 8;
    static constexpr int kCopiers = kGathers ? 2 : 1;  ///< warps that copy activations
    static constexpr int kThreads = 32 * (kMultipliers + 4);
    static constexpr int kUpGroups = (kUpBlocks + kBlocks - 1) / kBlocks;
    static constexpr int kDownGroups = (kDownBlocks + kBlocks - 1) / kBlocks;
    static_assert(kOutputs % 8 == 0, "16-byte stores");

    /// Two slabs a stage cost less waiting, but leave room for fewer stages.
    static constexpr int kStageSlabs = kRows <= 64 && kFormat != BF16 && kFormat != FP8 ? 2 : 1;
    static constexpr int kInputBytes = kRows * PACKED_BYTES;  ///< of a slab
    static constexpr int kBlockBytes = kStageSlabs * slab_bytes(kFormat);
    static constexpr int kStageBytes = (kStageSlabs * kInputBytes + kBlocks * kBlockBytes + 1023) / 1024 * 1024;
    static constexpr bool kGated = is_gated(kActivation);
    static constexpr int kStagingBytes = kRows * PACKED_BYTES;  ///< of 64 columns of `hidden`
    static constexpr int kStagings = kGated ? kBlocks / 2 : kBlocks;
    static constexpr int kWarpFloats = kBlocks / 2 * 16 * kRows;      ///< sums of a warp
    static constexpr int kPartFloats = kMultipliers * kWarpFloats;  ///< of a part of an item
    static constexpr int kParts = 4;                                ///< of an item at the end of the queue
    static constexpr int kLargestParts = 3;                         ///< parts for each CTA, at most
    static constexpr int kLeastSlabs = 8;                           ///< of a part
    static constexpr int kItems = 4;
    static constexpr int kAhead = 8;  ///< slabs before an item's end at which the next one is taken

    /// What an item needs, and its rows' factors.
    struct Item {
        u32 blocks;  ///< of weight rows; 0: no more items
        u32 up, staging;  ///< is it of the first product, and parity of the number of those before
        u32 expert, weightBlock, slot, rowCount, rowBlock;
        u32 firstSlab, slabs;
        u32 split, part, parts;  ///< the number of an item whose slabs are divided, and which part this is
        float scales[2];
        float weights[kRows];
        u32 targets[kRows];  ///< tokens that the first product reads, or rows of the output
    };

    static constexpr int kSumRows = 16, kSumPitch = 20;  ///< of sums in shared memory; stores and loads meet all banks
    static constexpr int kScratchBytes = kMultipliers * kSumRows * kSumPitch * 4;

    /// As many stages as there is room for: weights come from memory, which takes long and needs many bytes on their way.
    static constexpr int kOtherBytes = kStagings * kStagingBytes + kScratchBytes + kItems * (int)sizeof(Item) + 512;
    static constexpr int kStages = (232448 - kOtherBytes) / kStageBytes;
    static constexpr int kSharedBytes = kOtherBytes + kStages * kStageBytes;

    /// The queue of items. The slabs of the last ones are divided among CTAs, so that all have work until the end.
    struct Queue {
        u32 rowBlocks;
        u32 whole;  ///< items that are not divided, of both products
        u32 parts;  ///< of each of the others
        u32 total;

        DEVICE void fill(u32 blocks) {
            const u32 items = kDownGroups * blocks, half = gridDim.x / 2;
            u32 divided = 0;
            rowBlocks = blocks, parts = 1;
            if (kUpBlocks == 0 && items > 0 && items <= gridDim.x) divided = items, parts = items <= half ? gridDim.x / items : 3;
            else if (kDownSlabs >= 64) divided = min(items, half), parts = kParts;
            parts = min(parts, max(1, kDownSlabs / kLeastSlabs));
            whole = kUpGroups * blocks + items - divided;
            total = whole + divided * parts;
        }
    };

    struct Barriers {
        u64 full[kStages], empty[kStages];
        u64 itemsFull[kItems], itemsEmpty[kItems];
        u64 nearEnd;  ///< the last copies of an item are about to be issued
        u64 stagingFull, stagingEmpty;
        Queue queue;
    };

    static_assert(sizeof(Barriers) <= 512 && kSharedBytes <= 232448, "shared memory");

    struct Cursor {
        u32 stage, parity;
        DEVICE void advance() {
            if (++stage == kStages) stage = 0, parity ^= 1;
        }
    };

    const MoeGemmArguments& arguments;
    char* memory;
    char* staging;
    Item* items;
    Barriers* barriers;
    Queue* queue;
    u32 lane, warp;

    DEVICE MoeGemm(const MoeGemmArguments& arguments, char* memory)
        : arguments(arguments), memory(memory), staging(memory + kStages * kStageBytes), lane(threadIdx.x % 32),
          warp(threadIdx.x / 32) {
        items = reinterpret_cast<Item*>(staging + kStagings * kStagingBytes + kScratchBytes);
        barriers = reinterpret_cast<Barriers*>(items + kItems);
        queue = &barriers->queue;
    }

    DEVICE const char* inputs(u32 stage) const { return memory + stage * kStageBytes; }
    DEVICE const char* weights(u32 stage) const { return memory + stage * kStageBytes + kStageSlabs * kInputBytes; }

    // --- The warp that takes items ---

    /// The blocks of one expert around `index`: [first, end).
    DEVICE void blocks_of_expert(u32 index, u32 count, u32& first, u32& end) const {
        first = 0, end = count;
        if (!arguments.routing.list) return;
        const RowBlock* blocks = arguments.routing.list->blocks;
        const u32 expert = blocks[index].expert;
        first = index, end = index + 1;
        for (u32 same = 32; same == 32 && first > 0; first -= same)
            same = leading(first > lane && blocks[first - 1 - lane].expert == expert);
        for (u32 same = 32; same == 32 && end < count; end += same)
            same = leading(end + lane < count && blocks[end + lane].expert == expert);
    }

    static DEVICE u32 same_in_all(u32 value) { return __shfl_sync(~0u, value, 0); }

    /// How many lanes from the first on say yes.
    static DEVICE u32 leading(bool yes) {
        const u32 no = ~__ballot_sync(~0u, yes);
        return no == 0 ? 32 : __ffs(no) - 1;
    }

    DEVICE u32* finished(u32 rowBlock) const { return arguments.counters + 32 + kMultipliers * gridDim.x + rowBlock; }

    DEVICE void fill(Item& item, u32 number, u32& staged) const {
        const u32 count = queue->rowBlocks, whole = queue->whole;
        u32 split = 0, part = 0, parts = 1;
        if (number >= whole) {
            parts = queue->parts, split = (number - whole) / parts, part = number - whole - split * parts;
            number = whole + split;
        }
        const bool up = number < kUpGroups * count;
        const u32 slabs = up ? kUpSlabs : kDownSlabs, firstSlab = slabs * part / parts;
        if (lane == 0) {
            item.up = up, item.staging = staged % 2, item.split = split, item.part = part, item.parts = parts;
            item.firstSlab = firstSlab, item.slabs = slabs * (part + 1) / parts - firstSlab;
        }
        if (up) ++staged;
        else number -= kUpGroups * count;
        const u32 groups = up ? kUpGroups : kDownGroups;
        u32 first, end;
        blocks_of_expert(number / groups, count, first, end);
        const u32 within = number - first * groups, group = within / (end - first);
        const u32 rowBlock = first + within - group * (end - first);
        const RowBlock block = row_block(arguments.routing, rowBlock, arguments.tokenExpert, arguments.tokenCount, kRows);
        for (u32 row = lane; row < kRows; row += 32) {
            const u32 source = block.firstRow + min(row, block.rowCount - 1);
            item.weights[row] = up == (arguments.weightsRowsOnInput != 0) ? row_weight(arguments.routing, source) : 1.0f;
            item.targets[row] = up || kOneRow ? row_token(arguments.routing, source) : source;
        }
        if (lane == 0) {
            item.expert = block.expert, item.weightBlock = group * kBlocks, item.rowBlock = rowBlock;
            item.blocks = min(kBlocks, (up ? kUpBlocks : kDownBlocks) - (int)item.weightBlock);
            item.slot = first_slot(block, rowBlock), item.rowCount = block.rowCount;
            float2 scales = make_float2(1, 1);
            if (up && arguments.upScales) scales = arguments.upScales[block.expert];
            if (!up && arguments.downScales) scales.x = arguments.downScales[block.expert];
            item.scales[0] = scales.x * accumulator_factor(kFormat);
            item.scales[1] = scales.y * accumulator_factor(kFormat);
        }
        __syncwarp();
    }

    /// Waits until a block's `hidden` is in memory.
    DEVICE void wait_for_hidden(u32 rowBlock, u32& stored, u32 taken) const {
        while (same_in_all(load_acquire(finished(rowBlock))) != kUpGroups) {
            store_hidden(stored, taken);
            __nanosleep(64);
        }
        fence_async();
    }

    DEVICE void take_items() const {
        if (lane == 0) queue->fill(block_count(arguments.routing, arguments.tokenCount, kRows));
        __syncwarp();
        u32 staged = 0, stored = 0;
        for (u32 taken = 0;; ++taken) {
            if (taken > 0) wait_storing(&barriers->nearEnd, (taken - 1) % 2, stored, taken);
            wait_storing(&barriers->itemsEmpty[taken % kItems], taken / kItems % 2 ^ 1, stored, taken);
            Item& item = items[taken % kItems];
            u32 number = 0;
            if (lane == 0) number = take_number(arguments.counters, queue->total + gridDim.x);
            number = same_in_all(number);
            const bool remains = number < queue->total;
            if (remains) {
                fill(item, number, staged);
                if (kUpGroups > 0 && number >= kUpGroups * queue->rowBlocks) wait_for_hidden(same_in_all(item.rowBlock), stored, taken);
            } else if (lane == 0) {
                item.blocks = 0;
            }
            // Whoever takes the last number knows that all others have waited for the last time.
            if (number == queue->total + gridDim.x - 1)
                for (u32 block = lane; block < queue->rowBlocks; block += 32) *finished(block) = 0;
            __syncwarp();
            if (lane == 0) barrier_arrive(&barriers->itemsFull[taken % kItems]);
            if (remains) continue;
            while (kGathers && stored < taken) store_hidden(stored, taken);
            return;
        }
    }

    // --- Storing `hidden`: by a thread of its own or, where two warps gather, by the warp that takes items, while it waits ---

    DEVICE void store_hidden() const {
        for (u32 index = 0;; ++index) {
            const Item& item = await_item(index);
            if (item.blocks == 0) return;
            if (kUpBlocks > 0 && item.up) {
                barrier_wait(&barriers->stagingFull, item.staging);
                store_hidden(item);
            }
            release_item(index);
        }
    }

    DEVICE void wait_storing(u64* barrier, u32 parity, u32& stored, u32 taken) const {
        if constexpr (kGathers)
            while (!__any_sync(~0u, barrier_poll(barrier, parity))) {
                store_hidden(stored, taken);
                __nanosleep(200);
            }
        else
            barrier_wait(barrier, parity);
    }

    /// Passes over the items [stored, taken) whose rows are in memory, or are not of the first product; stores the first
    /// other one's if they are complete.
    DEVICE void store_hidden(u32& stored, u32 taken) const {
        if (!kGathers || stored == taken) return;
        const Item& item = items[stored % kItems];
        if (kUpBlocks > 0 && item.up) {
            if (!__any_sync(~0u, barrier_poll(&barriers->stagingFull, item.staging))) return;
            if (lane == 0) store_hidden(item);
        }
        __syncwarp();
        if (lane == 0) release_item(stored);
        ++stored;
    }

    DEVICE void store_hidden(const Item& item) const {
        const u32 bytes = slot_count(item.rowCount) * PACKED_BYTES;
        const u32 slab = kGated ? item.weightBlock / 2 : item.weightBlock, slabs = kGated ? (item.blocks + 1) / 2 : item.blocks;
        char* hidden = arguments.hidden + ((u64)slab * arguments.slots + item.slot) * PACKED_BYTES;
#pragma unroll
        for (int i = 0; i < kStagings; ++i)
            if (i < slabs) bulk_store(hidden + (u64)i * arguments.slots * PACKED_BYTES, staging + i * kStagingBytes, bytes);
        bulk_store_commit();
        bulk_store_wait_read();
        barrier_arrive(&barriers->stagingEmpty);
        bulk_store_wait();
        fence_async();
        if (kDownGroups > 0) add_release(finished(item.rowBlock), 1);
    }

    DEVICE const Item& await_item(u32 index) const {
        barrier_wait(&barriers->itemsFull[index % kItems], index / kItems % 2);
        return items[index % kItems];
    }

    DEVICE void release_item(u32 index) const { barrier_arrive(&barriers->itemsEmpty[index % kItems]); }

    // --- The warp that copies weights ---
    // All lanes do what one alone could, with values that the compiler knows to be the same in all: addresses of bulk
    // copies then are computed in uniform registers, which keeps a slab's copies under the time of its products.

    DEVICE void copy_weights() const {
        const bool elected = elect_one();
        Cursor cursor{0, 0};
        for (u32 index = 0;; ++index) {
            const Item& item = await_item(index);
            const u32 blocks = same_in_all(item.blocks);
            if (blocks == 0) return;
            const bool up = same_in_all(item.up);
            const u32 firstSlab = same_in_all(item.firstSlab), slabs = same_in_all(item.slabs);
            const u32 expert = same_in_all(item.expert), weightBlock = same_in_all(item.weightBlock);
            __syncwarp();
            if (elected) release_item(index);
            const u32 pitch = (up ? kUpSlabs : kDownSlabs) * slab_bytes(kFormat);
            const u64 block = (u64)expert * (up ? kUpBlocks : kDownBlocks) + weightBlock;
            copy_weights((up ? arguments.upWeights : arguments.downWeights) + block * pitch + firstSlab * slab_bytes(kFormat),
                         pitch, blocks, slabs, cursor, elected);
        }
    }

    DEVICE void copy_weights(const char* source, u32 pitch, u32 blocks, u32 slabs, Cursor& cursor, bool elected) const {
        const u64 policy = evict_first_policy();
#pragma unroll 1
        for (u32 slab = 0; slab < slabs; slab += kStageSlabs) {
            barrier_wait(&barriers->empty[cursor.stage], cursor.parity ^ 1);
            if (elected) {
                u64* full = &barriers->full[cursor.stage];
                char* stage = memory + cursor.stage * kStageBytes + kStageSlabs * kInputBytes;
                const u32 bytes = min(kStageSlabs, slabs - slab) * slab_bytes(kFormat);
                if (slab + kAhead >= slabs && (slab == 0 || slab + kAhead - kStageSlabs < slabs)) barrier_arrive(&barriers->nearEnd);
                barrier_arrive_expecting(full, blocks * bytes);
#pragma unroll
                for (int i = 0; i < kBlocks; ++i)
                    if (i < blocks) bulk_copy(stage + i * kBlockBytes, source + (u64)i * pitch, bytes, full, policy);
            }
            source += kBlockBytes;
            cursor.advance();
        }
    }

    // --- The warps that copy activations ---

    DEVICE void copy_inputs() const {
        const bool elected = elect_one();
        Cursor cursor{0, 0};
        for (u32 index = 0;; ++index) {
            const Item& item = await_item(index);
            const u32 blocks = same_in_all(item.blocks);
            if (blocks == 0) return;
            const u32 firstSlab = same_in_all(item.firstSlab), slabs = same_in_all(item.slabs);
            const u32 rowCount = same_in_all(item.rowCount), slot = same_in_all(item.slot);
            const bool isInput = kUpBlocks == 0 || same_in_all(item.up);
            if (kGathers && isInput) {
                const char* tokens = arguments.inputs + (u64)firstSlab * arguments.tokenCount * PACKED_BYTES;
                gather_tokens(index, tokens, rowCount, slabs, cursor);
            } else {
                __syncwarp();
                if (elected) release_item(index);
                if (!isInput) fence_async();
                const char* rows = isInput ? arguments.inputs : arguments.hidden;
                copy_rows(rows + ((u64)firstSlab * arguments.slots + slot) * PACKED_BYTES, slot_count(rowCount) * PACKED_BYTES,
                          slabs, cursor, elected);
            }
        }
    }

    DEVICE void gather_tokens(u32 index, const char* source, u32 rowCount, u32 slabs, Cursor& cursor) const {
        constexpr int rowsAtOnce = 32 * kCopiers / 8;
        const u32 thread = threadIdx.x % (32 * kCopiers), piece = thread % 8, first = thread / 8;
        const Item& item = items[index % kItems];
        u32 offsets[kRows / rowsAtOnce];
#pragma unroll
        for (int i = 0; i < kRows / rowsAtOnce; ++i)
            offsets[i] = item.targets[first + i * rowsAtOnce] * PACKED_BYTES + piece * 16;
        __syncwarp();
        if (lane == 0) release_item(index);
        const u64 pitch = (u64)arguments.tokenCount * PACKED_BYTES;
        const u32 target = first * PACKED_BYTES + (piece ^ first % 8) * 16;
#pragma unroll 1
        for (u32 slab = 0; slab < slabs; ++slab) {
            if (slab % kStageSlabs == 0) barrier_wait(&barriers->empty[cursor.stage], cursor.parity ^ 1);
            char* rows = memory + cursor.stage * kStageBytes + slab % kStageSlabs * kInputBytes + target;
#pragma unroll
            for (int i = 0; i < kRows / rowsAtOnce; i += 2) {
                if (i * rowsAtOnce >= rowCount) break;
                copy_16(rows + i * rowsAtOnce * PACKED_BYTES, source + offsets[i]);
                copy_16(rows + (i + 1) * rowsAtOnce * PACKED_BYTES, source + offsets[i + 1]);
            }
            source += pitch;
            if (slab % kStageSlabs != kStageSlabs - 1 && slab + 1 < slabs) continue;
            barrier_arrive_after_copies(&barriers->full[cursor.stage]);
            cursor.advance();
        }
    }

    /// Rows that lie as they are wanted, which one thread copies; where all else gather, they say that they have nothing to.
    DEVICE void copy_rows(const char* source, u32 bytes, u32 slabs, Cursor& cursor, bool elected) const {
        const u64 policy = evict_last_policy(), pitch = (u64)arguments.slots * PACKED_BYTES;
        const bool copies = elected && warp == kMultipliers + 2;
#pragma unroll 1
        for (u32 slab = 0; slab < slabs; slab += kStageSlabs) {
            u64* full = &barriers->full[cursor.stage];
            barrier_wait(&barriers->empty[cursor.stage], cursor.parity ^ 1);
            if (copies) {
                const u32 count = min(kStageSlabs, slabs - slab);
                barrier_arrive_expecting(full, count * bytes);
#pragma unroll
                for (int i = 0; i < kStageSlabs; ++i)
                    if (i < count) bulk_copy(memory + cursor.stage * kStageBytes + i * kInputBytes, source + i * pitch, bytes, full, policy);
            } else if (kGathers) {
                barrier_arrive(full);
            }
            source += kStageSlabs * pitch;
            cursor.advance();
        }
    }

    // --- The warpgroups that multiply ---

    DEVICE u32 group() const { return warp / 4; }

    /// Loads this warp's share of a slab's weights.
    template <int kPerGroup>
    DEVICE void load(TileFragments<kFormat> (&tiles)[kPerGroup], u32 stage, int slab) const {
        const u32 offset = group() * kPerGroup * kBlockBytes + warp % 4 * tile_bytes(kFormat) + slab * slab_bytes(kFormat);
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].load(weights(stage) + offset + m * kBlockBytes, lane);
    }

    /// Sums of kPerGroup blocks of weight rows and N token columns over all slabs.
    template <int N, int kPerGroup>
    DEVICE void multiply(float (&sums)[kPerGroup][N / 8][4], Cursor& cursor, u32 slabs, bool isGathered) const {
        TileFragments<kFormat> tiles[kPerGroup];
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m)
#pragma unroll
            for (int n = 0; n < N / 8; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0;
        await_stage(cursor, isGathered);
        load(tiles, cursor.stage, 0);
        u32 previous = ~0u;
#pragma unroll 1
        for (u32 left = slabs;;) {
            TileFragments<kFormat> next[kPerGroup];
            multiply_slab<N, kPerGroup, 0>(sums, tiles, next, cursor, previous, left, isGathered);
            if (--left == 0) break;
            if (kStageSlabs == 1) {
#pragma unroll
                for (int m = 0; m < kPerGroup; ++m) tiles[m] = next[m];
            } else {
                multiply_slab<N, kPerGroup, kStageSlabs - 1>(sums, next, tiles, cursor, previous, left, isGathered);
                if (--left == 0) break;
            }
        }
        wgmma_wait<0>();
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma_hold(sums[m]);
        release_stage(cursor.stage);
        cursor.advance();
    }

    /// Multiplies a slab, the first or the second of its stage, and loads the weights of the next one.
    template <int N, int kPerGroup, int slab>
    DEVICE void multiply_slab(float (&sums)[kPerGroup][N / 8][4], TileFragments<kFormat> (&tiles)[kPerGroup],
                              TileFragments<kFormat> (&next)[kPerGroup], Cursor& cursor, u32& previous, u32 left, bool isGathered) const {
        const u64 b = wgmma_descriptor(inputs(cursor.stage) + slab * kInputBytes);
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].prepare();
        multiply_step<N, kPerGroup, 0>(sums, tiles, b);
        if (slab == 0 && previous != ~0u) release_stage(previous);
        multiply_step<N, kPerGroup, 1>(sums, tiles, b);
        multiply_step<N, kPerGroup, 2>(sums, tiles, b);
        if (left > 1) {
            if (slab == kStageSlabs - 1) {
                previous = cursor.stage;
                cursor.advance();
                await_stage(cursor, isGathered);
            }
            load(next, cursor.stage, (slab + 1) % kStageSlabs);
        }
        multiply_step<N, kPerGroup, 3>(sums, tiles, b);
    }

    /// Waits for a stage's operands. What came by ordinary copies has to be made visible to the matrix units.
    DEVICE void await_stage(const Cursor& cursor, bool isGathered) const {
        barrier_wait(&barriers->full[cursor.stage], cursor.parity);
        if (isGathered) fence_async_shared();
    }

    DEVICE void release_stage(u32 stage) const {
        __syncwarp();
        if (lane == 0) barrier_arrive(&barriers->empty[stage]);
    }

    template <int N, int kPerGroup, int step>
    DEVICE static void multiply_step(float (&sums)[kPerGroup][N / 8][4], const TileFragments<kFormat> (&tiles)[kPerGroup], u64 b) {
        u32 a[kPerGroup][4];
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].template fragment<step>(a[m]);
        wgmma_fence();
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma<N>(sums[m], a[m], b + 2 * step);
        wgmma_commit();
        wgmma_wait<1>();
    }

    /// An item's products and their epilogue: every N has registers of its own, which the compiler would else shuffle.
    template <int N, int kPerGroup>
    DEVICE void process(const Item& item, Cursor& cursor) const {
        float sums[kPerGroup][N / 8][4];
        multiply<N, kPerGroup>(sums, cursor, item.slabs, kGathers && (kUpBlocks == 0 || item.up));
        if (item.up) {
            barrier_wait(&barriers->stagingEmpty, item.staging ^ 1);
            stage_hidden(item, sums);
        } else if (item.parts == 1) {
            store_outputs<kPerGroup>(item, SumRows<kPerGroup, N / 8>{*this, item, sums});
        } else {
            store_part(item, sums);
        }
    }

    template <int kPerGroup>
    DEVICE void process(const Item& item, Cursor& cursor) const {
        if (kPerGroup == 2) {
            if (item.rowCount <= 16) return process<16, kPerGroup>(item, cursor);
            if (kRows > 32 && item.rowCount <= 32) return process<32, kPerGroup>(item, cursor);
            if (kRows > 32 && item.rowCount <= 48) return process<48, kPerGroup>(item, cursor);
            if (kRows > 64 && item.rowCount <= 64) return process<64, kPerGroup>(item, cursor);
            if (kRows > 64 && item.rowCount <= 80) return process<80, kPerGroup>(item, cursor);
            if (kRows > 64 && item.rowCount <= 96) return process<96, kPerGroup>(item, cursor);
        }
        process<kRows, kPerGroup>(item, cursor);
    }

    DEVICE void multiply() const {
        Cursor cursor{0, 0};
        for (u32 index = 0;; ++index) {
            const Item& item = await_item(index);
            if (item.blocks == 0) return;
            if (item.blocks > kBlocks / 2) process<2>(item, cursor);
            else process<1>(item, cursor);
            if (item.parts > 1) finish_parts(item);
            __syncwarp();
            if (lane == 0) release_item(index);
        }
    }

    /// The item's block of weight rows that is this warpgroup's m-th.
    template <int kPerGroup>
    DEVICE u32 block_of(int m) const { return group() * kPerGroup + m; }

    // --- Epilogues: sums pass through shared memory, where a loop can index them, 16 token rows of a warp at a time ---

    DEVICE float* scratch() const {
        return reinterpret_cast<float*>(staging + kStagings * kStagingBytes) + warp * (kSumRows * kSumPitch);
    }

    /// Calls body(row, sums) with every token row of a block of weight rows; two lanes share a row.
    template <int kColumns, class Body>
    DEVICE void each_row(const float (&sums)[kColumns][4], u32 rowCount, Body body) const {
        static_assert(kColumns % 2 == 0, "16 token rows at a time");
#pragma unroll
        for (int n = 0; n < kColumns; n += 2) {
            if (n * 8 >= rowCount) return;
            scatter_rows(sums[n], sums[n + 1]);
            body(n * 8 + lane / 2, scratch() + lane / 2 * kSumPitch);
            __syncwarp();
        }
    }

    /// Brings this warp's sums of 16 token rows, two columns of fragments, into shared memory: [16][kSumPitch].
    DEVICE void scatter_rows(const float (&low)[4], const float (&high)[4]) const {
        float* out = scratch() + lane % 4 * 2 * kSumPitch + lane / 4;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            out[i % 2 * kSumPitch + i / 2 * 8] = low[i];
            out[(8 + i % 2) * kSumPitch + i / 2 * 8] = high[i];
        }
        __syncwarp();
    }

    DEVICE static float4 quad(const float* floats) { return *reinterpret_cast<const float4*>(floats); }

    /// Four BF16 from global memory, or zeros.
    DEVICE static float4 four_values(const u16* biases) {
        if (!biases) return make_float4(0, 0, 0, 0);
        const uint2 pairs = *reinterpret_cast<const uint2*>(biases);
        return make_float4(bf16_value((u16)pairs.x), bf16_value((u16)(pairs.x >> 16)), bf16_value((u16)pairs.y),
                           bf16_value((u16)(pairs.y >> 16)));
    }

    DEVICE static float4 four_scales(const float* scales) {
        return kFormat == FP8 && scales ? quad(scales) : make_float4(1, 1, 1, 1);
    }

    // --- First product: gate and up, activation ---

    template <int kPerGroup, int kColumns>
    DEVICE void stage_hidden(const Item& item, const float (&sums)[kPerGroup][kColumns][4]) const {
        if (kGated) stage_gated(item, sums);
        else stage_ungated(item, sums);
        fence_async_shared();
        __syncwarp();
        if (lane == 0) barrier_arrive(&barriers->stagingFull);
    }

    template <int kPerGroup, int kColumns>
    DEVICE void stage_gated(const Item& item, const float (&sums)[kPerGroup][kColumns][4]) const {
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) {
            const u32 block = block_of<kPerGroup>(m), tile = warp % 4, quarter = lane % 2 * 4;
            const u16* biases = arguments.upBiases;
            if (biases) biases += (u64)item.expert * 2 * (kDownSlabs * 64) + (item.weightBlock + block) * 32 + tile * 8 + quarter;
            const bool valid = block < item.blocks;
            const float4 gateBias = four_values(valid ? biases : nullptr);
            const float4 upBias = four_values(valid && biases ? biases + kDownSlabs * 64 : nullptr);
            char* out = staging + block / 2 * kStagingBytes + (block % 2 * 2 + tile / 2) * 4;
            const u32 piece = tile % 2 * 4 + quarter / 2;
            each_row(sums[m], item.rowCount, [&](u32 row, const float* sums) {
                const float4 gate = quad(sums + quarter), up = quad(sums + 8 + quarter);
                const float weight = item.weights[row], gateScale = weight * item.scales[0], upScale = weight * item.scales[1];
                u32 low = pack_bf16x2(activated(gate.x * gateScale + gateBias.x, up.x * upScale + upBias.x),
                                      activated(gate.y * gateScale + gateBias.y, up.y * upScale + upBias.y));
                u32 high = pack_bf16x2(activated(gate.z * gateScale + gateBias.z, up.z * upScale + upBias.z),
                                       activated(gate.w * gateScale + gateBias.w, up.w * upScale + upBias.w));
                if (!valid) low = high = 0;
                char* words = out + row * PACKED_BYTES;
                *reinterpret_cast<u32*>(words + (piece ^ row % 8) * 16) = low;
                *reinterpret_cast<u32*>(words + ((piece + 1) ^ row % 8) * 16) = high;
            });
        }
    }

    /// Of a row's 16 columns of a warp, each of two lanes has eight: four pieces of the packed layout.
    template <int kPerGroup, int kColumns>
    DEVICE void stage_ungated(const Item& item, const float (&sums)[kPerGroup][kColumns][4]) const {
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) {
            const u32 block = block_of<kPerGroup>(m), tile = warp % 4;
            const bool biased = arguments.upBiases && block < item.blocks;
            const u32 first = item.expert * 2 * (kDownSlabs * 64) + (item.weightBlock + block) * 64 + tile * 16;
            each_row(sums[m], item.rowCount, [&](u32 row, const float* sums) {
                // One half after the other, all else read again for every row: registers are full of sums.
#pragma unroll 1
                for (u32 i = 0; i < 2; ++i) {
                    const u32 columns = lane % 2 * 8 + i * 4;
                    const float scale = item.weights[row] * item.scales[0];
                    const float4 sum = quad(sums + columns);
                    const float4 bias = four_values(biased ? arguments.upBiases + first + columns : nullptr);
                    u32* pieces = reinterpret_cast<u32*>(staging + block * kStagingBytes + row * PACKED_BYTES) + tile;
                    pieces[(columns / 2 ^ row % 8) * 4] =
                        pack_bf16x2(ungated(sum.x * scale + bias.x), ungated(sum.y * scale + bias.y));
                    pieces[((columns / 2 + 1) ^ row % 8) * 4] =
                        pack_bf16x2(ungated(sum.z * scale + bias.z), ungated(sum.w * scale + bias.w));
                }
            });
        }
    }

    DEVICE float activated(float gate, float up) const { return gated<kActivation>(gate, up, arguments.constants); }

    // --- Second product: down, router weights, residual ---

    /// The rows of an item whose sums are in registers, for store_outputs. NVRTC takes generic lambdas for host code.
    template <int kPerGroup, int kColumns>
    struct SumRows {
        const MoeGemm& gemm;
        const Item& item;
        const float (&sums)[kPerGroup][kColumns][4];

        template <class Body>
        DEVICE void operator()(int m, Body body) const { gemm.each_row(sums[m], item.rowCount, body); }
    };

    /// eachRow(m, body) calls body with the rows of this warpgroup's m-th block of weight rows.
    template <int kPerGroup, class EachRow>
    DEVICE void store_outputs(const Item& item, EachRow eachRow) const {
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) {
            const u32 block = block_of<kPerGroup>(m), half = lane % 2 * 8;
            const u32 column = (item.weightBlock + block) * 64 + warp % 4 * 16 + half;
            const bool valid = block < item.blocks && column < kOutputs;
            const u16* biases = arguments.downBiases && valid ? arguments.downBiases + (u64)item.expert * kOutputs + column : nullptr;
            const float4 biasLow = four_values(biases), biasHigh = four_values(biases ? biases + 4 : nullptr);
            const float* scales = kFormat == FP8 && arguments.rowScales && valid ? arguments.rowScales + column : nullptr;
            eachRow(m, [&](u32 row, const float* sums) {
                if (!valid || row >= item.rowCount) return;
                const float4 low = quad(sums + half), high = quad(sums + half + 4);
                const float weight = item.weights[row], scale = item.scales[0];
                const u64 index = (u64)item.targets[row] * kOutputs + column;
                const u16* residual = kOneRow && arguments.residual ? arguments.residual + index : nullptr;
                const float4 residualLow = four_values(residual), residualHigh = four_values(residual ? residual + 4 : nullptr);
                const float4 scalesLow = four_scales(scales), scalesHigh = four_scales(scales ? scales + 4 : nullptr);
                auto output = [&](float sum, float rowScale, float bias, float residual) {
                    return weight * (sum * (scale * rowScale) + bias) + residual;
                };
                *reinterpret_cast<uint4*>(arguments.output + index) = make_uint4(
                    pack_bf16x2(output(low.x, scalesLow.x, biasLow.x, residualLow.x), output(low.y, scalesLow.y, biasLow.y, residualLow.y)),
                    pack_bf16x2(output(low.z, scalesLow.z, biasLow.z, residualLow.z), output(low.w, scalesLow.w, biasLow.w, residualLow.w)),
                    pack_bf16x2(output(high.x, scalesHigh.x, biasHigh.x, residualHigh.x), output(high.y, scalesHigh.y, biasHigh.y, residualHigh.y)),
                    pack_bf16x2(output(high.z, scalesHigh.z, biasHigh.z, residualHigh.z), output(high.w, scalesHigh.w, biasHigh.w, residualHigh.w)));
            });
        }
    }

    // --- Second product, where an item's slabs are divided among CTAs: sums of the parts, in their order ---

    /// This warp's part of an item: quads of sums, [m][column][lane].
    DEVICE uint4* part_sums(const Item& item, u32 part) const {
        const u32 number = (item.split * item.parts + part) * kMultipliers + warp;
        return reinterpret_cast<uint4*>(arguments.partials) + (u64)number * (kWarpFloats / 4) + lane;
    }

    template <int kPerGroup, int kColumns>
    DEVICE void store_part(const Item& item, const float (&sums)[kPerGroup][kColumns][4]) const {
        uint4* quads = part_sums(item, item.part);
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m)
#pragma unroll
            for (int n = 0; n < kColumns; ++n) {
                const float(&sum)[4] = sums[m][n];
                quads[(m * (kRows / 8) + n) * 32] = make_uint4(__float_as_uint(sum[0]), __float_as_uint(sum[1]),
                                                               __float_as_uint(sum[2]), __float_as_uint(sum[3]));
            }
    }

    /// Adds up one quad of the parts of an item.
    DEVICE void add_parts(const Item& item, u32 index, float (&sums)[4]) const {
        sums[0] = sums[1] = sums[2] = sums[3] = 0;
#pragma unroll 4
        for (u32 part = 0; part < item.parts; ++part) {
            const uint4 other = load_volatile(part_sums(item, part) + index * 32);
            sums[0] += __uint_as_float(other.x), sums[1] += __uint_as_float(other.y);
            sums[2] += __uint_as_float(other.z), sums[3] += __uint_as_float(other.w);
        }
    }

    /// The rows of a divided item, for store_outputs.
    struct PartRows {
        const MoeGemm& gemm;
        const Item& item;

        template <class Body>
        DEVICE void operator()(int m, Body body) const {
#pragma unroll 1
            for (u32 n = 0; n * 8 < item.rowCount; n += 2) {
                float low[4], high[4];
                gemm.add_parts(item, m * (kRows / 8) + n, low);
                gemm.add_parts(item, m * (kRows / 8) + n + 1, high);
                gemm.scatter_rows(low, high);
                body(n * 8 + gemm.lane / 2, gemm.scratch() + gemm.lane / 2 * kSumPitch);
                __syncwarp();
            }
        }
    };

    /// If this warp's is the last of the parts to be there, adds them up and stores the outputs.
    DEVICE void finish_parts(const Item& item) const {
        __syncwarp();
        u32 number = 0;
        if (lane == 0) number = take_number(arguments.counters + 32 + item.split * kMultipliers + warp, item.parts);
        if (__shfl_sync(~0u, number, 0) != item.parts - 1) return;
        if (item.blocks > kBlocks / 2) store_outputs<2>(item, PartRows{*this, item});
        else store_outputs<1>(item, PartRows{*this, item});
    }

    DEVICE void run() {
        if (threadIdx.x == 0) {
            for (int i = 0; i < kStages; ++i) barrier_init(&barriers->full[i], kGathers ? 1 + 32 * kCopiers : 2), barrier_init(&barriers->empty[i], kMultipliers);
            for (int i = 0; i < kItems; ++i)
                barrier_init(&barriers->itemsFull[i], 1), barrier_init(&barriers->itemsEmpty[i], kMultipliers + kCopiers + 2);
            barrier_init(&barriers->nearEnd, 1);
            barrier_init(&barriers->stagingFull, kMultipliers), barrier_init(&barriers->stagingEmpty, 1);
            fence_barrier_init();
        }
        __syncthreads();
        launch_next_kernel();
        if (warp < kMultipliers) {
            increase_registers<232>();
            multiply();
        } else {
            decrease_registers<40>();
            if (warp == kMultipliers) {
                copy_weights();
            } else if (warp == kMultipliers + 1) {
                take_items();
            } else if (warp < kMultipliers + 2 + kCopiers) {
                wait_for_previous_kernel();
                copy_inputs();
            } else if (lane == 0) {
                store_hidden();
            }
        }
    }
};

/// The body of the kernel. The host writes the instantiation: an extern "C" __global__ function with
/// __launch_bounds__(Gemm::kThreads, 1), its argument `const __grid_constant__ MoeGemmArguments`.
template <class Gemm>
DEVICE void moe_gemm(const MoeGemmArguments& arguments) {
    extern __shared__ __align__(1024) char memory[];
    Gemm(arguments, memory).run();
}
